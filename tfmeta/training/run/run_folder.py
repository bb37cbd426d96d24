"""The files that a run writes, and how they are read again."""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras

from tfmeta.data import Source
from tfmeta.json_files import read_json, to_json, write_json
from tfmeta.own_code import own_code_in
from tfmeta.serving import stored_learner
from tfmeta.training.meta_model import MetaModel
from tfmeta.training.run.folder_lock import folder_lock
from tfmeta.training.run.kept_preparation import (
    load_preparation,
    save_preparation,
    saved_config,
)

# The flags that may differ between a run and its continuation.
MAY_CHANGE = (
    "checkpoint_every",
    "data_dir",
    "download",
    "json",
    "run_dir",
    "seeds",
    "steps",
    "store",
)
# The number of the draws' version. A change of the code that makes the same seed draw
# other episodes, masks or first weights must change this number; one that makes the
# same seed draw other augmented images changes the second number.
DRAWS, DRAWS_AUGMENTED = 1, 2
# What settings that older versions did not have were in effect.
_BEFORE = {"learner.rule.carried": False}
_PACKAGES = ("tfmeta", "tensorflow", "keras", "numpy")


class RunFolder:
    """The files of one training run.

    `config.json` has the flags, the trainer's settings, the versions, the learner, the
    task map, and digests of each part's class names and numbers of examples, by which
    a changed set of classes is noticed. The other files are `prepare.keras`, how raw
    inputs become what the learner takes, `metrics.jsonl`, `checkpoints/last.npz`,
    `checkpoints/best.npz`, `tensorboard/` and `results.json`.

    Args:
        path: The folder; it is made if it does not exist.

    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.prepare_file = self.path / "prepare.keras"
        self.metrics_file = self.path / "metrics.jsonl"
        self.results_file = self.path / "results.json"
        self.last = self.path / "checkpoints" / "last.npz"
        self.best = self.path / "checkpoints" / "best.npz"
        self.tensorboard = self.path / "tensorboard"

    @property
    def name(self) -> str:
        """The name of the folder, by which TensorBoard calls the run."""
        return self.path.resolve().name

    def check_writable(self) -> None:
        """Refuses a path where no folder can be made; makes nothing.

        Raises:
            ValueError: If the path lies below a file, or in a folder that is not
                writable.
        """
        place = self.path.absolute()
        while not place.exists():
            place = place.parent
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise ValueError(
                f"The run folder {self.path} cannot be written: {place} is "
                f"{'not writable' if place.is_dir() else 'a file'}. Choose another run "
                "folder."
            )

    def make(self) -> None:
        """Makes the folders and checks that they can be written.

        Raises:
            ValueError: If the folders cannot be made or written.
        """
        try:
            self.last.parent.mkdir(parents=True, exist_ok=True)
            probe = self.last.parent / ".probe"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in this folder during a `with` block.

        The lock also ends when the process ends, in whatever way.

        Raises:
            ValueError: If another process trains here, or the folder is not writable.
        """
        with ExitStack() as stack:
            try:
                free = stack.enter_context(folder_lock(self.path))
            except OSError as error:
                raise self._unwritable(error) from error
            if not free:
                raise ValueError(
                    f"Another process trains in {self.path}. Wait for it, stop it, or "
                    "choose another run folder."
                )
            yield

    def check_flags(self, flags: dict[str, Any]) -> None:
        """Refuses to go on with a run that was started with other flags.

        A run without a checkpoint has nothing to lose, so it may start anew with other
        flags. A flag that only the old or only the new start has is not compared.

        Args:
            flags: The flags of this start.

        Raises:
            ValueError: If the folder holds a run of other flags, which the error names,
                or a run of a version of tfmeta that drew other episodes.
        """
        config = self._config() if self.last.exists() else {}
        if config and config.get("draws", 0) != _draws(config):
            raise ValueError(
                f"The run in {self.path} was begun by a version of tfmeta that drew "
                "other episodes or images, so it cannot be continued to the same "
                "numbers. It can be scored and exported; to train on, start anew in "
                "another run folder."
            )
        old = config.get("flags", {}) if config else flags
        differ = [
            f"{key} was {old[key]!r} and is {flags[key]!r}"
            for key in sorted((old.keys() & flags.keys()) - set(MAY_CHANGE))
            if old[key] != flags[key]
        ]
        if not differ and old and not old.keys() & flags.keys():
            differ = [f"it was started with {', '.join(sorted(old))}"]
        if differ:
            raise ValueError(
                f"{self.path} holds a run of other flags: {'; '.join(differ)}. Use "
                "another run folder, or the same flags to continue it."
            )

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Refuses to go on with a run whose trainer was set otherwise.

        A run without a checkpoint has nothing to lose, so it may start anew with other
        settings. A setting that only the old or only the new start has is not compared.

        Args:
            settings: The settings of this start by name; values that JSON can hold.

        Raises:
            ValueError: If the folder holds a run of other settings, which the error
                names.
        """
        old = self._config().get("settings") if self.last.exists() else None
        if not old:
            return
        old = {**_BEFORE, **old}
        now = json.loads(to_json(settings))
        differ = [
            f"{name}: {old[name]!r} before, {now[name]!r} now"
            for name in sorted(old.keys() & now.keys())
            if old[name] != now[name]
        ]
        if differ:
            raise ValueError(
                f"{self.path} holds a run of other settings ({'; '.join(differ)}). Use "
                "another run folder, or the same settings to continue it."
            )

    def check_data(self, source: Source, *, to_train: bool = False) -> None:
        """Refuses data with other classes in its parts than the run began with.

        When a class is added or removed, other classes may move from one part to
        another. The run would then be tested on classes that it was trained on. So it
        is with the examples of parts that share their classes.

        Args:
            source: The data of this start.
            to_train: Whether the run shall go on. Then the numbers of examples must be
                the same too.

        Raises:
            ValueError: If a part has other classes or other numbers of examples, or
                if parts that share their classes were divided otherwise; the error
                names the part.
        """
        if not self.config_file.exists() or (to_train and not self.last.exists()):
            return
        began = self._config().get("data", {})
        told = {
            "classes": "classes",
            "rows": "examples",
            "counts": "numbers of examples",
        }
        for key in told if to_train else ("classes", "rows"):
            changed = [
                part
                for part, now in source.identity().items()
                if began.get(part, now).get(key) != now.get(key)
            ]
            if changed:
                what = told[key]
                raise ValueError(
                    f"{source.name} has changed since the run in {self.path} began: "
                    f"other {what} in {', '.join(changed)}. Restore the data as it "
                    "was, or train anew in another run folder."
                )

    def write_config(
        self,
        flags: dict[str, Any],
        model: MetaModel,
        source: Source,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """Writes `prepare.keras` and `config.json`, each whole or not at all.

        Args:
            flags: The flags of this start.
            model: The model, with the learner, the preparation and the task map.
            source: The data.
            settings: The trainer's settings by name; None leaves them out.

        Raises:
            OSError: If a file cannot be written.
        """
        save_preparation(model.prepare, self.prepare_file)
        write_json(
            self.config_file,
            {
                "flags": flags,
                "settings": settings or {},
                "data": source.identity(),
                "task_map": model.task_map,
                "draws": _draws({"settings": settings or {}}),
                "versions": {"python": platform.python_version(), **_versions()},
                "learner": keras.saving.serialize_keras_object(model.learner),
            },
        )

    def other_versions(self) -> str | None:
        """A sentence that names the packages whose versions have changed.

        Returns:
            The sentence; None if the versions are those of the start before, or the
            folder holds no checkpoint to go on from.
        """
        now = _versions()
        old = self._config().get("versions", {}) if self.last.exists() else now
        changed = [name for name in now if old.get(name, now[name]) != now[name]]
        if not changed:
            return None
        before, after = (
            ", ".join(f"{name} {versions[name]}" for name in changed)
            for versions in (old, now)
        )
        return (
            f"The run in {self.path} was trained under {before} and goes on under "
            f"{after}: its numbers may part from those of an unbroken run."
        )

    def task_map(self, flags: dict[str, Any]) -> str | None:
        """The task map that the run chose when it began.

        Args:
            flags: The flags of this start.

        Returns:
            "loop" or "compiled", or None if no run of these flags has begun.
        """
        if not self.config_file.exists():
            return None
        config = self._config()
        old = config.get("flags", {})
        same = all(old.get(k) == flags[k] for k in flags.keys() - set(MAY_CHANGE))
        return config["task_map"] if same or self.last.exists() else None

    def own_code(self) -> list[str]:
        """The code that the run needs and that neither Keras nor tfmeta has.

        `load_model` imports it from PYTHONPATH or from installed packages, never from
        the working directory.

        Returns:
            Names such as `package.module:name`.

        Raises:
            ValueError: If there is no run in the folder, or `prepare.keras` is broken.
        """
        needed = [self._config()["learner"]]
        if self.prepare_file.exists():
            needed.append(saved_config(self.prepare_file))
        return own_code_in(needed)

    def load_model(
        self, which: str = "best", *, normalisation: str | None = None
    ) -> MetaModel:
        """Rebuilds the run's model with its trained weights and its preparation.

        Args:
            which: "last" for the last checkpoint, or "best" for the best by validation.
                "best" takes the last one if no best one was kept.
            normalisation: A mode other than that of training, to compare; None for the
                mode of training, or the one that the run was packed for.

        Returns:
            The model, not compiled.

        Raises:
            ValueError: If there is no run or no checkpoint in the folder, if code that
                the run names is not there, if the preparation cannot be read, or if
                `normalisation` is "running" and training kept no moving averages.
        """
        checkpoint = self.best if which == "best" and self.best.exists() else self.last
        if not self.config_file.exists() or not checkpoint.exists():
            raise ValueError(
                f"{self.path} holds no trained run: it needs config.json and "
                "checkpoints/. Give a run folder that a Trainer or the app train "
                "wrote."
            )
        config = self._config()
        learner = stored_learner(
            config["learner"],
            checkpoint,
            normalisation=normalisation or config.get("normalisation"),
        )
        prepare = None  # The default, of runs that began before there was such a file.
        if self.prepare_file.exists():
            prepare = load_preparation(self.prepare_file)
        return MetaModel(learner, prepare=prepare, task_map=config["task_map"])

    def _unwritable(self, error: OSError) -> ValueError:
        return ValueError(
            f"The run folder {self.path} cannot be written ({error.strerror}). Choose "
            "another run folder."
        )

    def _config(self) -> dict[str, Any]:
        config = read_json(self.config_file)
        needed = {"flags", "task_map", "learner"}
        if not isinstance(config, dict) or not config.keys() >= needed:
            raise ValueError(
                f"{self.config_file} is not a config.json of a run folder. Restore it "
                "from a copy, or choose another run folder."
            )
        return config


def _versions() -> dict[str, str]:
    """The versions of the packages that a run's numbers depend on."""
    # Of the modules: TensorFlow may come from a package of another name.
    return {name: importlib.import_module(name).__version__ for name in _PACKAGES}


def _draws(config: dict[str, Any]) -> int:
    """The version of the draws that a run with this config must have."""
    augmented = config.get("settings", {}).get("augment") is not None
    return DRAWS_AUGMENTED if augmented else DRAWS
