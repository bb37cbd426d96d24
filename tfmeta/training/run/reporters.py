"""Reporters of a run's numbers: to a file of JSON lines, and to TensorBoard."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any, TypeAlias

from tfmeta.json_files import to_json
from tfmeta.training.run.growing_file import GrowingFile
from tfmeta.whole_files import replacing, unwritable

Flags: TypeAlias = dict[str, Any] | None


class Reporter:
    """Follows a run's progress: the trainer calls its methods, which do nothing here.

    A subclass overrides the methods that it needs. `step` is always the number of outer
    steps done so far.
    """

    def start(self, step: int, steps: int, flags: Flags = None) -> None:
        """The run begins or continues; `steps` is the number of steps in all."""

    def advance(self, step: int) -> None:
        """One more step is done."""

    def report(self, step: int, row: dict[str, Any]) -> None:
        """`row` holds the numbers since the last report, or those of a validation."""

    def picture(self, step: int, name: str, png: bytes) -> None:
        """`png` is a picture of a validation."""

    def stopping(self, reason: str) -> None:
        """The run was asked to stop, and will stop after this step."""

    def close(self) -> None:
        """The run has ended or stopped."""


class MetricsFile(Reporter):
    """Appends every report to a file, one JSON object a line.

    Args:
        path: The file, such as `metrics.jsonl`.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file: Any = None

    def start(self, step: int, steps: int, flags: Flags = None) -> None:
        """Drops the lines of steps that are about to be run again."""
        kept = []
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        kept.append(line)
                except (ValueError, KeyError, TypeError):
                    break
        with replacing(self.path) as file:
            file.writelines(line + b"\n" for line in kept)
        self._file = GrowingFile(self.path)

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Writes a line at once."""
        self._file.write(f"{to_json({'step': step, **row})}\n".encode())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class TensorBoardScalars(Reporter):
    """Writes scalars, pictures and the run's flags for TensorBoard.

    Every number of a report is a scalar; the flags are the hyper-parameters of
    TensorBoard's HParams page. When a run continues, TensorBoard hides what the earlier
    process wrote after the checkpoint.

    Args:
        folder: TensorBoard's log folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._file: Any = None
        self._records: Any = None

    def start(self, step: int, steps: int, flags: Flags = None) -> None:
        """Opens a file of events; the run continues after step number `step`."""
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.plugins.hparams import summary_v2 as hparams
        from tensorboard.summary.writer.record_writer import RecordWriter

        # The writers of TensorBoard and TensorFlow write in a thread of their own, and
        # raise their own errors later.
        self._file = GrowingFile(self._new_path())
        self._records = RecordWriter(self._file)
        self._add(step, file_version="brain.Event:2")
        # At a second START event, TensorBoard forgets the events from its step on.
        self._add(step + 1, session_log=SessionLog(status=SessionLog.START))
        if step == 0:
            told = {k: v for k, v in (flags or {}).items() if v is not None}
            plain = {
                k: v if isinstance(v, str | int | float) else str(v)
                for k, v in told.items()
            }
            self._add(step, summary=hparams.hparams_pb(plain))

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Writes the scalars."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        # Every TensorBoard reader drops repeated steps of simple values.
        summary = Summary()
        for name, value in row.items():
            if isinstance(value, int | float):
                summary.value.add(tag=name, simple_value=value)
        self._add(step, summary=summary)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Writes the picture."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        image = Summary.Image(encoded_image_string=png)
        self._add(step, summary=Summary(value=[Summary.Value(tag=name, image=image)]))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _new_path(self) -> Path:
        """A file named as TensorBoard wants it, sorted after all that are there."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        begun = len(list(self.folder.glob("events.out.tfevents.*")))
        name = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        return self.folder / f"events.out.tfevents.{name}.{begun:04d}"

    def _add(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=step, **content)
        self._records.write(event.SerializeToString())
