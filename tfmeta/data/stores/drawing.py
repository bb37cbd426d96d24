"""Names what cannot be drawn from a store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf


@contextlib.contextmanager
def drawing_from(*parts: Any) -> Iterator[None]:
    """Turns an error of a graph into one that names the example it failed on.

    A graph that reads pictures from the disk may fail while they are drawn, and its
    error does not tell on which. Then the stores of the parts are looked through.

    Args:
        *parts: The parts that are drawn from.

    Raises:
        ValueError: In place of an error of TensorFlow, if a store knows its cause: a
            file that vanished, changed or cannot be decoded.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for part in parts:
            store = getattr(part, "store", None)
            problem = None if store is None else store.problem()
            if problem is not None:
                raise ValueError(problem) from error
        raise
