"""The shapes and dtypes of raw examples, as JSON can hold them."""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf

_TEXT = re.compile(r"(\w+)\[([\d,?]*)\]")


def to_texts(inputs: Any) -> Any:
    """Writes the specs of raw examples as texts.

    Args:
        inputs: A nest of `tf.TensorSpec`, whose leading axis counts the examples.

    Returns:
        The same structure with a text for each spec: its dtype, and the shape of one
        example, with "?" for an axis of any length.

    Example:
        >>> to_texts({"age": tf.TensorSpec([None]), "hue": tf.TensorSpec([None, 8, 3])})
        {'age': 'float32[]', 'hue': 'float32[8,3]'}
    """

    def text(spec: tf.TensorSpec) -> str:
        shape = ",".join("?" if n is None else str(n) for n in spec.shape[1:])
        return f"{spec.dtype.name}[{shape}]"

    return tf.nest.map_structure(text, inputs)


def from_texts(texts: Any) -> Any:
    """Reads what `to_texts` wrote; specs stay as they are.

    Args:
        texts: A nest of texts or of `tf.TensorSpec`. A list counts as a tuple, because
            JSON has no tuples.

    Returns:
        The same structure with a `tf.TensorSpec` for each text.

    Raises:
        ValueError: If a leaf is neither a spec nor such a text.
    """
    if isinstance(texts, tf.TensorSpec):
        return texts
    if isinstance(texts, dict):
        return {name: from_texts(value) for name, value in texts.items()}
    if isinstance(texts, tuple) and hasattr(texts, "_fields"):
        return type(texts)(*map(from_texts, texts))
    if isinstance(texts, list | tuple):
        return tuple(map(from_texts, texts))
    found = _TEXT.fullmatch(texts) if isinstance(texts, str) else None
    if found is None:
        raise ValueError(
            "The raw inputs of a preparation must be a nest of tf.TensorSpec, such as "
            f"tf.TensorSpec((None, 8), tf.float32). Received: {texts!r}."
        )
    sizes = [n for n in found[2].split(",") if n]
    shape = [None, *(None if n == "?" else int(n) for n in sizes)]
    return tf.TensorSpec(shape, tf.as_dtype(found[1]))
