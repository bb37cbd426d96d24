"""Loads TensorFlow without the lines that its libraries log while they load.

Every script imports this first. Errors of the import are told, in one line.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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


def _load() -> None:
    import tfmeta  # noqa: F401  Before Keras: it chooses the backend.

    with _no_stderr():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


try:
    _load()
except ImportError as error:
    sys.stderr.write("error: " + " ".join(str(error).split()) + "\n")
    sys.exit(2)
except KeyboardInterrupt:
    sys.stderr.write("Interrupted.\n")
    sys.exit(130)
