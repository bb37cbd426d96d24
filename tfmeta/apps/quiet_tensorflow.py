"""Loads TensorFlow without the lines that its libraries log while they load."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def load_quietly() -> None:
    """Loads TensorFlow and Keras.

    If that fails, the process ends with the reason in one line and exit code 2.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _no_stderr():
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
    except ImportError as error:
        sys.stderr.write("error: " + " ".join(str(error).split()) + "\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Points file descriptor 2 nowhere: C++ writes to it without asking Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
