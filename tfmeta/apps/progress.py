"""Progress on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from tfmeta.apps.console import SCREEN, say
from tfmeta.training.run.reporters import Reporter

# What is shown of a report: in a line, and beside a bar.
_NAMES = {
    "loss": ("loss", "loss"),
    "accuracy": ("accuracy", "acc"),
    "val_accuracy": ("validation accuracy", "val"),
    "val_mse": ("validation mse", "val mse"),
    "tasks_per_s": ("tasks/s", "tasks/s"),
    "examples_per_s": ("examples/s", "ex/s"),
}


class TrainingProgress(Reporter):
    """A progress bar on a terminal, plain lines elsewhere."""

    def __init__(self):
        self._bar: Progress | None = None
        self._last: dict[str, Any] = {}

    def start(self, step: int, steps: int, flags: Any = None) -> None:
        """Begins at the step where the run continues."""
        self._steps = steps
        if step:
            say(f"Continuing at step {step} of {steps}.")
        if SCREEN.is_terminal:
            self._bar = Progress(
                TextColumn("{task.completed}/{task.total}"),
                BarColumn(bar_width=None),
                TimeRemainingColumn(table_column=Column(min_width=7, no_wrap=True)),
                TextColumn("{task.fields[numbers]}"),
                console=SCREEN,
                expand=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=steps, completed=step, numbers="")

    def advance(self, step: int) -> None:
        """Moves the bar."""
        if self._bar:
            self._bar.update(self._task, completed=step)

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Shows the newest numbers."""
        self._last.update(row)
        if self._bar:
            self._bar.update(self._task, numbers=_beside(self._last))
        else:
            say(f"step {step}/{self._steps}  {_numbers(row)}")

    def note(self, text: str) -> None:
        """Says what a person should read."""
        say(text)

    def stopping(self, reason: str) -> None:
        """Says that the wish to stop was heard."""
        say(f"{reason}: stopping and saving; once more to stop without saving.")

    def close(self) -> None:
        """Ends the bar."""
        if self._bar:
            self._bar.stop()


@contextlib.contextmanager
def episodes_scored(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Shows on a terminal how many episodes are scored.

    Args:
        name: What is scored.

    Yields:
        A function of the episodes that are done and of all; None where nothing shows.
    """
    if not SCREEN.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} episodes"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=SCREEN, transient=True) as bar:
        task = bar.add_task(name, total=None)

        def advance(done: int, count: int) -> None:
            bar.update(task, completed=done, total=count)

        yield advance


def _numbers(row: dict[str, Any]) -> str:
    shown = [f"{name} {row[k]:.4g}" for k, (name, _) in _NAMES.items() if k in row]
    return "  ".join(shown)


def _beside(row: dict[str, Any]) -> str:
    shown = [f"{name} {row[k]:.3g}" for k, (_, name) in _NAMES.items() if k in row]
    return "  ".join(shown)
