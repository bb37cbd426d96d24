"""What is known of shapes before a graph runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

_SAME = ("Cast", "ExpandDims", "Identity", "Reshape", "Squeeze", "StopGradient")


def known(tensor: Any) -> list[int | None]:
    """The entries of a scalar or a vector of whole numbers; None where unknown.

    Args:
        tensor: What a graph computes sizes in, such as `tf.shape(x)[1:]`.

    Returns:
        An entry for each number.

    Raises:
        ValueError: If not even their number is known.

    Example:
        >>> @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        ... def f(x):
        ...     told.append(known(tf.concat([tf.shape(x), [7]], 0)))
        >>> told = []
        >>> _ = f.get_concrete_function()
        >>> told
        [[None, 3, 7]]
    """
    value = tf.get_static_value(tensor)
    if value is not None:
        return [int(n) for n in np.reshape(value, -1)]
    found = _read(tensor)
    if found is not None:
        return found
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"Nothing is known of {tensor.name}.")
    return [None] * tensor.shape.num_elements()


def _read(tensor: Any) -> list[int | None] | None:
    """What the operation that makes a tensor tells of it; None for nothing."""
    op = tensor.op
    if op.type in ("Shape", "ShapeN"):
        place = tensor.value_index if op.type == "ShapeN" else 0
        shape: list[int | None] = op.inputs[place].shape.as_list()
        return shape
    if op.type in _SAME:
        return known(op.inputs[0])
    if op.type == "Pack":
        return [n for each in op.inputs for n in known(each)]
    if op.type == "ConcatV2":
        return [n for each in op.inputs[:-1] for n in known(each)]
    if op.type == "StridedSlice":
        return _sliced(op)
    return None


def _sliced(op: tf.Operation) -> list[int | None] | None:
    """Some entries of a vector."""
    ends = [tf.get_static_value(t) for t in op.inputs[1:]]
    if any(end is None or len(end) != 1 for end in ends):
        return None
    if op.get_attr("new_axis_mask") or op.get_attr("ellipsis_mask"):
        return None
    entries = known(op.inputs[0])
    begin, end, step = (int(e[0]) for e in ends)
    if op.get_attr("shrink_axis_mask"):
        return [entries[begin]]
    return entries[
        slice(
            None if op.get_attr("begin_mask") else begin,
            None if op.get_attr("end_mask") else end,
            step,
        )
    ]
