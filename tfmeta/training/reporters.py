"""Where a run's numbers go: a JSON line, a TensorBoard scalar."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Protocol


class Reporter(Protocol):
    """Whoever wants to hear of a run's progress."""

    def start(self, step: int, steps: int) -> None:
        """Is told the steps already done and the steps to be done in all."""

    def advance(self, step: int) -> None:
        """Is told that one more step is done."""

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Is given the numbers since the last report, or of a validation."""

    def stopping(self, reason: str) -> None:
        """Is told that the run was asked to stop, and will after this step."""

    def close(self) -> None:
        """Is told that the run has ended or stops."""


class MetricsFile:
    """Appends every report to a file, one JSON object a line.

    Args:
        path: The file, such as `metrics.jsonl`.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file: Any = None

    def start(self, step: int, steps: int) -> None:
        """Drops the lines of steps that are about to be run again."""
        kept = []
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        kept.append(line)
                except (json.JSONDecodeError, KeyError, TypeError):
                    break
        partial = self.path.with_name(f".{self.path.name}.partial")
        partial.write_text("".join(line + "\n" for line in kept))
        os.replace(partial, self.path)
        self._file = self.path.open("a")

    def advance(self, step: int) -> None:
        """Writes nothing."""

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Writes a line at once."""
        self._file.write(json.dumps({"step": step, **row}) + "\n")
        self._file.flush()

    def stopping(self, reason: str) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class TensorBoardScalars:
    """Writes every number of a report as a TensorBoard scalar.

    A continued run hides what the earlier one wrote beyond the checkpoint.

    Args:
        folder: TensorBoard's log folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._writer: Any = None

    def start(self, step: int, steps: int) -> None:
        """Opens the writer; `step` is where the run continues."""
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(self.folder))
        # With a second of these TensorBoard forgets events from its step on.
        self._add(step + 1, session_log=SessionLog(status=SessionLog.START))

    def advance(self, step: int) -> None:
        """Writes nothing."""

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Writes the scalars."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        # Simple values: of these every reader of TensorBoard drops what is run again.
        summary = Summary()
        for name, value in row.items():
            if isinstance(value, int | float):
                summary.value.add(tag=name, simple_value=value)
        self._add(step, summary=summary)
        self._writer.flush()

    def stopping(self, reason: str) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Closes the writer."""
        self._writer.close()

    def _add(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, **content))
