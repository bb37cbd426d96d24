"""Keeps Keras on its TensorFlow backend."""

from __future__ import annotations

import os
import sys

from tfmeta.keras_internals import backend_before_import

_VARIABLE = "KERAS_BACKEND"


def require_tensorflow_backend() -> None:
    """Chooses Keras' TensorFlow backend, or refuses the one already chosen.

    Keras reads its backend once, when it is first imported: from the environment
    variable `KERAS_BACKEND`, else from its `keras.json`. Where Keras is not imported
    yet and the variable is unset, this sets it, so that `keras.json` has no say.

    Raises:
        ImportError: If Keras runs, or is told to run, on another backend.
    """
    imported = _imported_backend()
    if imported is not None:
        _refuse_unless_tensorflow(imported, "Keras was imported before with backend")
        return
    # Keras, too, takes the empty string for unset.
    wanted = os.environ.get(_VARIABLE) or "tensorflow"
    _refuse_unless_tensorflow(wanted, f"the environment variable {_VARIABLE} is")
    os.environ[_VARIABLE] = wanted


def _imported_backend() -> str | None:
    """Returns the backend that Keras has settled on, or None if it has not yet."""
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    return backend_before_import()


def _refuse_unless_tensorflow(backend: str, source: str) -> None:
    """Raises an ImportError that names the remedy."""
    if backend != "tensorflow":
        raise ImportError(
            f"tfmeta needs Keras' TensorFlow backend, but {source} {backend!r}: "
            f"set {_VARIABLE}=tensorflow in the environment and start Python again."
        )
