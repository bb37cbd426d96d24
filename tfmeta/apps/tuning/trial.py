"""A trial of a search: a training in a process of its own, followed as it validates."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WAIT = 0.2  # Seconds between two looks at what a training has written.
_PARENT_DEATH = 1  # Linux' PR_SET_PDEATHSIG.
_PATIENCE = 60.0  # Seconds that a training has to save and end when it is stopped.


class Trial:
    """A training that is followed from outside, by the rows that it writes.

    If the run's folder holds a run already, the training goes on there, and the rows
    of before are told again without training.

    Args:
        command: The command that trains, complete but for the run's folder.
        folder: The run's folder. What the training prints is kept beside it.
        metric: The name of the validation's number, such as "val_accuracy".
    """

    def __init__(self, command: Sequence[str], folder: Path, metric: str):
        self._folder, self._metric = folder, metric
        self._log = folder.with_suffix(".log")
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._told, self._peak = 0, 0.0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"--run_dir={folder}"],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )

    def next_validation(self) -> dict[str, Any] | None:
        """Waits for the next validation.

        Returns:
            A dict with the metric, `step`, and `memory_gb`, the most memory that the
            training has used so far; None if the training is over.

        Raises:
            RuntimeError: If the training failed; the error is the last line that it
                printed.
        """
        while True:
            over = self._process.poll() is not None
            self._peak = max(self._peak, _memory_gb(self._process.pid))
            rows = validations(self._folder, self._metric)
            if len(rows) > self._told:
                row = rows[self._told]
                self._told += 1
                return {
                    self._metric: row[self._metric],
                    "step": row["step"],
                    "memory_gb": round(self._peak, 2),
                }
            if over:
                break
            time.sleep(_WAIT)
        if self._process.returncode:
            raise RuntimeError(self._last_line())
        return None

    def stop(self) -> None:
        """Asks the training to save and end, and waits until it has."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with code {self._process.returncode}"


def validations(folder: Path, metric: str) -> list[dict[str, Any]]:
    """The validations that a training has written so far.

    Args:
        folder: The run's folder.
        metric: The name of the validation's number, such as "val_accuracy".

    Returns:
        A dict for each, with the metric and `step`.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]  # The last one may be cut.
    rows = [json.loads(line) for line in lines if line]
    return [row for row in rows if metric in row]


def _end_with_parent() -> None:
    """Lets Linux stop this process, which is about to train, when its parent dies."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGTERM)


def _memory_gb(process: int) -> float:
    """The most memory that a process has had; 0 where the system does not tell."""
    status = Path(f"/proc/{process}/status")
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(sizes[0]) / 1e6 if sizes else 0.0
