"""What the scripts say, and how they fail: one clear line, exit code 2."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from absl import app, flags
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

SCREEN = Console()
_SHOWN = ("loss", "accuracy", "val_accuracy", "tasks_per_s")


def run(main: Callable[[], dict[str, Any]]) -> None:
    """Runs a script: parses flags, turns bad input into one line and exit code 2.

    Args:
        main: Does the work; what it returns is printed as the last line by `--json`.
    """
    flags.DEFINE_bool("json", False, "Print the results as JSON on the last line.")

    def parse(argv):
        try:
            rest = flags.FLAGS(argv)
        except flags.Error as error:
            fail(f"{error} (--help lists the flags)")
        except OSError as error:
            fail(f"The flag file {error.filename} cannot be read.")
        if len(rest) > 1:
            fail(f"Flags start with --. Received: {' '.join(rest[1:])}.")
        return rest

    def guarded(_):
        try:
            results = main()
        except (ValueError, FloatingPointError, ImportError, OSError) as error:
            fail(str(error))
        if flags.FLAGS.json:
            sys.stdout.write(json.dumps(results) + "\n")

    app.run(guarded, flags_parser=parse)


def fail(message: str) -> None:
    """Ends the script with one line on stderr and exit code 2."""
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")
    sys.exit(2)


def say(message: str) -> None:
    """Prints a line."""
    SCREEN.print(message, highlight=False, soft_wrap=True)


def percent(mean: float, ci95: float) -> str:
    """An accuracy with its interval, such as "97.31 ± 0.24 %"."""
    return f"{100 * mean:.2f} ± {100 * ci95:.2f} %"


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Prints a table."""
    sheet = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        sheet.add_column(column, justify="right" if place else "left")
    for row in rows:
        sheet.add_row(*row)
    SCREEN.print(sheet)


class TrainingProgress:
    """A progress bar on a terminal, plain lines elsewhere."""

    def __init__(self):
        self._bar: Progress | None = None
        self._last: dict[str, Any] = {}

    def start(self, step: int, steps: int) -> None:
        """Begins at the step where the run continues."""
        self._steps = steps
        if step:
            say(f"Continuing at step {step} of {steps}.")
        if SCREEN.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed}/{task.total}"),
                BarColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[numbers]}"),
                console=SCREEN,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=steps, completed=step, numbers="")

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Shows the newest numbers."""
        self._last.update(row)
        shown = self._last if self._bar else row
        numbers = "  ".join(f"{k} {shown[k]:.4g}" for k in _SHOWN if k in shown)
        if self._bar:
            self._bar.update(self._task, completed=step, numbers=numbers)
        else:
            say(f"step {step}/{self._steps}  {numbers}")

    def close(self) -> None:
        """Ends the bar."""
        if self._bar:
            self._bar.stop()
