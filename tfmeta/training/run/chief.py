"""The work that one process does for all: lock, config, reports and checkpoints."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from tfmeta.data import Source
from tfmeta.serving import load_checkpoint, save_checkpoint
from tfmeta.training.run.reporters import (
    MetricsFile,
    Reporter,
    TensorBoardEvents,
)
from tfmeta.training.run.run_folder import RunFolder

Groups = dict[str, list[keras.Variable]]


class Worker:
    """A process that trains and keeps nothing: its methods write and read no files."""

    @contextmanager
    def at_work(
        self,
        flags: dict[str, Any],
        source: Source,
        settings: dict[str, Any] | None = None,
    ) -> Iterator[None]:
        """Does nothing: a worker keeps no run."""
        yield

    def restore(self, groups: Groups) -> dict[str, Any] | None:
        """Reads a checkpoint into variables; returns its state, or None without one."""
        return None

    def task_map(self, flags: dict[str, Any]) -> str | None:
        """The task map that the run chose when it began, or None."""
        return None

    @contextmanager
    def reporting(
        self, flags: dict[str, Any], model: Any, source: Source, step: int, steps: int
    ) -> Iterator[None]:
        """Writes the config and opens the reporters; closes them at the end."""
        yield

    def save(self, groups: Groups, state: dict[str, Any], *, best: bool) -> None:
        """Writes a checkpoint, the best one or the last."""

    def last_checkpoint(self) -> str:
        """A sentence that says where the last good checkpoint is."""
        return "This process keeps no checkpoints."

    def advance(self, step: int) -> None:
        """Tells the reporters that one more step is done."""

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Hands the reporters the numbers since the last report, or of a validation."""

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Hands the reporters a picture of a validation."""

    def stopping(self, reason: str) -> None:
        """Tells the reporters that the run was asked to stop."""


class Chief(Worker):
    """The process that keeps a run: it writes and reads the run's folder.

    Args:
        run: The run's folder.
        reporters: Reporters beside those of the folder's own files.
        metric: The primary metric of the validation, such as "accuracy".
    """

    def __init__(
        self, run: RunFolder, reporters: Sequence[Reporter] = (), *, metric: str
    ):
        self.run = run
        self._settings: dict[str, Any] | None = None
        self.reporters: list[Reporter] = [
            MetricsFile(run.metrics_file),
            TensorBoardEvents(run.tensorboard, run.name, metric),
            *reporters,
        ]

    @contextmanager
    def at_work(
        self,
        flags: dict[str, Any],
        source: Source,
        settings: dict[str, Any] | None = None,
    ) -> Iterator[None]:
        """Makes the run's folder, and locks it during the `with` block.

        First this method refuses to continue a run whose flags, settings or data differ
        from those it began with.

        Args:
            flags: The flags that describe the run.
            source: The data.
            settings: What else the run's numbers depend on, such as the seed and the
                learning rate: values that JSON can hold, by name. They are kept in
                `config.json`. None compares nothing.

        Raises:
            ValueError: If the folder holds a run of other flags, settings, data or
                episodes, or a run that another process trains.
        """
        self.run.check_flags(flags)
        self.run.check_settings(settings or {})
        self._settings = settings
        self.run.check_data(source, to_train=True)
        self.run.make()
        with self.run.locked():
            yield

    def restore(self, groups: Groups) -> dict[str, Any] | None:
        """Reads the last checkpoint."""
        if not self.run.last.exists():
            return None
        return load_checkpoint(self.run.last, groups)

    def task_map(self, flags: dict[str, Any]) -> str | None:
        """Reads the task map from the run's config."""
        return self.run.task_map(flags)

    @contextmanager
    def reporting(
        self, flags: dict[str, Any], model: Any, source: Source, step: int, steps: int
    ) -> Iterator[None]:
        """Writes `config.json`, then reports until the end."""
        other_versions = self.run.other_versions()
        self.run.write_config(flags, model, source, self._settings)
        with contextlib.ExitStack() as stack:
            for reporter in self.reporters:
                reporter.start(step, steps, flags)
                stack.callback(reporter.close)
                if other_versions is not None:
                    reporter.note(other_versions)
            yield

    def save(self, groups: Groups, state: dict[str, Any], *, best: bool) -> None:
        """Writes `checkpoints/best.npz` or `last.npz`."""
        save_checkpoint(self.run.best if best else self.run.last, groups, state)

    def last_checkpoint(self) -> str:
        """Names the file of the last checkpoint, if there is one."""
        if self.run.last.exists():
            return f"The last good checkpoint is {self.run.last}."
        return "No checkpoint was written yet."

    def advance(self, step: int) -> None:
        """Tells every reporter."""
        for reporter in self.reporters:
            reporter.advance(step)

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Tells every reporter."""
        for reporter in self.reporters:
            reporter.report(step, row)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Shows every reporter."""
        for reporter in self.reporters:
            reporter.picture(step, name, png)

    def stopping(self, reason: str) -> None:
        """Tells every reporter."""
        for reporter in self.reporters:
            reporter.stopping(reason)
