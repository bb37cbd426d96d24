"""Examples that are texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.nested import holds_texts


def is_text(shape: Any, dtype: Any) -> bool:
    """Whether an example is one text, and nothing beside.

    Args:
        shape: The shape of an example; a nest if examples are nests.
        dtype: The dtype, of NumPy or of TensorFlow, or a nest.
    """
    return not tf.nest.is_nested(dtype) and not len(shape) and _strings(dtype)


def _strings(dtype: Any) -> bool:
    return bool(tf.as_dtype(dtype) == tf.string)


def check_texts(name: str, x: Any) -> None:
    """Refuses texts that are empty, and what is no text among texts.

    Args:
        name: The name of the examples in an error.
        x: `(examples, ...)`, what `as_arrays` made. Empty texts are refused where an
            example is one text; as a part of an example they may stand for what is
            missing.

    Raises:
        ValueError: If an example is no text, or is empty; the error names the first.
    """
    leaves = [leaf for leaf in tf.nest.flatten(x) if holds_texts(leaf)]
    for leaf in leaves:
        _check(name, leaf, empty=leaf is not x or leaf.ndim > 1)


def _check(name: str, array: np.ndarray, *, empty: bool) -> None:
    for place, each in enumerate(array.flat):
        number = place // (array.size // len(array))
        if not isinstance(each, str | bytes):
            raise ValueError(
                f"{name} must hold texts alone. Received: {each!r} as example number "
                f"{number}, counted from 0. Fill it in, or leave it out."
            )
        if not each.strip() and not empty:
            raise ValueError(
                f"{name} must hold no empty text. Received: {each!r} as example number "
                f"{number}, counted from 0. Fill it in, or leave it out."
            )
