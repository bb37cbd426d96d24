"""What a run leaves on disk, and how it is found again."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import keras

from tfmeta.training.checkpoint import load_checkpoint
from tfmeta.training.meta_model import MetaModel

# What may differ between a run and its continuation.
MAY_CHANGE = ("data_dir", "download", "json", "run_dir", "steps")
_PACKAGES = ("tfmeta", "tensorflow", "keras", "numpy")


class RunFolder:
    """The files of one training run.

    `config.json` (flags, versions, the learner, the task map), `metrics.jsonl`,
    `checkpoints/last.npz` and `best.npz`, `tensorboard/`, `results.json`.

    Args:
        path: The folder; it is made if it does not exist.

    Raises:
        ValueError: If it cannot be made or written.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.results_file = self.path / "results.json"
        self.last = self.path / "checkpoints" / "last.npz"
        self.best = self.path / "checkpoints" / "best.npz"
        self.tensorboard = self.path / "tensorboard"

    def make(self) -> None:
        """Makes the folders and checks that they can be written."""
        try:
            self.last.parent.mkdir(parents=True, exist_ok=True)
            probe = self.last.parent / ".probe"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise ValueError(
                f"The run folder {self.path} cannot be written ({error.strerror}). "
                "Choose another --run_dir."
            ) from error

    def check_flags(self, flags: dict[str, Any]) -> None:
        """Refuses to go on with a run that was started with other flags.

        Args:
            flags: The flags of this start.

        Raises:
            ValueError: If the folder holds a run of other flags; it names them.
        """
        if not self.config_file.exists():
            return
        old = read_json(self.config_file)["flags"]
        differ = [
            f"{key}={old.get(key)!r} there, {flags.get(key)!r} here"
            for key in sorted({*old, *flags} - set(MAY_CHANGE))
            if old.get(key) != flags.get(key)
        ]
        if differ:
            raise ValueError(
                f"{self.path} holds a run of other flags: {'; '.join(differ)}. Use "
                "another --run_dir, or the same flags to continue it."
            )

    def write_config(self, flags: dict[str, Any], model: MetaModel) -> None:
        """Writes `config.json`, whole or not at all."""
        write_json(
            self.config_file,
            {
                "flags": flags,
                "task_map": model.task_map,
                "versions": {
                    "python": platform.python_version(),
                    **{name: importlib.metadata.version(name) for name in _PACKAGES},
                },
                "learner": keras.saving.serialize_keras_object(model.learner),
            },
        )

    def task_map(self) -> str:
        """The way through the tasks that the run chose when it began."""
        return read_json(self.config_file)["task_map"]

    def load_model(self, which: str = "best") -> MetaModel:
        """Rebuilds the run's model with its trained weights.

        Args:
            which: "best" (by validation; "last" where none was kept) or "last".

        Returns:
            The model, not compiled.

        Raises:
            ValueError: If there is no run or no checkpoint in the folder.
        """
        checkpoint = self.best if which == "best" and self.best.exists() else self.last
        if not self.config_file.exists() or not checkpoint.exists():
            raise ValueError(
                f"{self.path} holds no trained run: it needs config.json and "
                "checkpoints/. Give the --run_dir that scripts/train.py wrote."
            )
        config = read_json(self.config_file)
        learner = keras.saving.deserialize_keras_object(config["learner"])
        load_checkpoint(checkpoint, {"learner": learner.variables})
        return MetaModel(learner, task_map=config["task_map"])


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        ValueError: If the file is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON ({error}).") from error


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file under another name and renames it."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(partial, path)
