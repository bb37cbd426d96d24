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

# Flags that say where a run is kept and how it is told: two runs are not compared by
# them.
_NOT_COMPARED = ("checkpoint_every", "data_dir", "download", "json", "run_dir", "store")


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

    def note(self, text: str) -> None:
        """`text` is a sentence that a person who follows the run should read."""

    def stopping(self, reason: str) -> None:
        """The run was asked to stop: it ends after this step, or in a validation."""

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


class TensorBoardEvents(Reporter):
    """Writes scalars, pictures and the run's flags for TensorBoard.

    Every number of a report is a scalar, in one of the groups `train`, `val` and
    `adaptation`. The flags are the hyper-parameters of TensorBoard's HParams page,
    beside the validation's metric. When a run continues, TensorBoard hides what the
    earlier process wrote after the checkpoint.

    Args:
        folder: TensorBoard's log folder. The events lie in a folder inside, by whose
            name TensorBoard calls the run.
        name: The name of the run.
        metric: The primary metric of the validation, such as "accuracy".
    """

    def __init__(self, folder: Path, name: str, metric: str):
        self.folder, self.name, self.metric = folder, name, metric
        self._file: Any = None
        self._records: Any = None

    def start(self, step: int, steps: int, flags: Flags = None) -> None:
        """Opens a file of events; the run continues after step number `step`."""
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        # The writers of TensorBoard and TensorFlow write in a thread of their own, and
        # raise their own errors later.
        self._file = GrowingFile(self._new_path())
        self._records = RecordWriter(self._file)
        self._add(step, file_version="brain.Event:2")
        # At a second START event, TensorBoard forgets the events from its step on.
        self._add(step + 1, session_log=SessionLog(status=SessionLog.START))
        if step == 0:
            self._add_hparams(flags or {})

    def _add_hparams(self, flags: dict[str, Any]) -> None:
        """Writes the flags that a person compares, and whose metric to show first."""
        from tensorboard.plugins.hparams import summary_v2 as hparams

        told = {
            name: value if isinstance(value, str | int | float) else str(value)
            for name, value in flags.items()
            if value is not None and name not in _NOT_COMPARED
        }
        shown = [hparams.Metric(f"val/{self.metric}"), hparams.Metric("train/loss")]
        config = hparams.hparams_config_pb(map(hparams.HParam, told), shown)
        self._add(0, summary=config)
        self._add(0, summary=hparams.hparams_pb(told))

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Writes the scalars."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        # Every TensorBoard reader drops repeated steps of simple values.
        summary = Summary()
        for name, value in row.items():
            if isinstance(value, int | float):
                summary.value.add(tag=_tag(name), simple_value=value)
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
        """A file named as TensorBoard wants it, sorted after all that are there.

        A run stays in the folder where it began, so that TensorBoard shows one run,
        even if the run's folder has another name now.
        """
        begun = sorted(self.folder.rglob("events.out.tfevents.*"))
        folder = begun[-1].parent if begun else self.folder / self.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
        name = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        return folder / f"events.out.tfevents.{name}.{len(begun):04d}"

    def _add(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=step, **content)
        self._records.write(event.SerializeToString())


def _tag(name: str) -> str:
    """The tag of a number: its name in the group `train`, `val` or its own."""
    if "/" in name:
        return name
    if name.startswith("val_"):
        return f"val/{name.removeprefix('val_')}"
    return f"train/{name}"
