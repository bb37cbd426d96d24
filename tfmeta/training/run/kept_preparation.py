"""The preparation of a run, in a file that Keras writes and reads."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmeta import keras_internals
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.own_code import import_own_code_in, working_directory_hidden
from tfmeta.training.run.settings import digest
from tfmeta.whole_files import replacing, unwritable


@keras.saving.register_keras_serializable("tfmeta")
class KeptPreparation(keras.Model):
    """A Keras model that is nothing but a preparation, since Keras saves only models.

    Args:
        prepare: The preparation.
        **kwargs: For `keras.Model`, such as `name`.
    """

    def __init__(self, prepare: Preparation, **kwargs: Any):
        super().__init__(**kwargs)
        self.prepare = prepare
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Prepares examples; see `Preparation.call`."""
        return self.prepare(inputs)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this model again."""
        return {"prepare": keras.saving.serialize_keras_object(self.prepare)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> KeptPreparation:
        """Makes a model from what `get_config` returned."""
        return cls(keras.saving.deserialize_keras_object(config["prepare"]))


def save_preparation(prepare: Preparation, path: Path) -> None:
    """Writes a preparation with its variables and assets, whole or not at all.

    Args:
        prepare: The preparation, whose layer is built.
        path: The file, `*.keras`.

    Raises:
        OSError: If the file cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "prepare.keras"
            KeptPreparation(prepare).save(made)
            content = made.read_bytes()
    except OSError as error:
        raise unwritable(path, error) from error
    with replacing(path) as file:
        file.write(content)


def load_preparation(path: Path) -> Preparation:
    """Reads what `save_preparation` wrote.

    Args:
        path: The file.

    Returns:
        The preparation.

    Raises:
        ValueError: If the file is broken, or has a layer whose class is not known.
    """
    config = saved_config(path)
    with _readable(path):
        import_own_code_in(config)
        with working_directory_hidden():
            return keras.saving.load_model(path, compile=False).prepare


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Tells in one sentence that a file cannot be read, and what to do."""
    try:
        yield
    except Exception as error:  # Keras names no kinds of errors.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path} cannot be read ({first}). Import the code that registers the "
            "preparation's layer first; if the file is broken, restore it from a copy."
        ) from error


def saved_config(path: Path) -> Any:
    """The Keras config in a file that `save_preparation` wrote.

    Args:
        path: The file.

    Raises:
        ValueError: If the file is broken.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def fingerprint(prepare: Preparation) -> str:
    """A short text that differs for preparations that make other values.

    Args:
        prepare: The preparation, whose layer is built.

    Returns:
        The name of the layer's class, and a digest of its config, its variables and
        its assets. The range of the values and the names of layers do not matter.
    """
    content = hashlib.sha256()
    config = keras.saving.serialize_keras_object(prepare.replaced(low=None, high=None))
    content.update(digest(config).encode())
    for variable in prepare.variables:
        if "seed_generator" not in variable.path:  # Nothing is drawn.
            value = np.asarray(variable.value)
            content.update(
                f"{value.dtype.str} {value.shape}".encode() + value.tobytes()
            )
    for layer in keras_internals.descendants(prepare):
        if hasattr(layer, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                layer.save_assets(folder)
                for path in sorted(Path(folder).rglob("*")):
                    if path.is_file():
                        content.update(path.name.encode() + path.read_bytes())
    return f"{type(prepare.layer).__name__} {content.hexdigest()[:8]}"
