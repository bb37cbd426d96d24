"""Checks that the numbers of examples stay the same in the dtypes of a net's inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core.nests import named

# Whole numbers up to 2 to this power are exact in a float dtype.
_DIGITS = {tf.bfloat16: 8, tf.float16: 11, tf.float32: 24, tf.float64: 53}


def check_castable(name: str, values: np.ndarray, dtype: tf.DType) -> None:
    """Refuses numbers that would become other numbers when they are cast to a dtype.

    Floats that are rounded to fewer digits pass.

    Args:
        name: The name of the numbers in an error.
        values: An array of numbers.
        dtype: The dtype that they will be cast to.

    Raises:
        ValueError: If `dtype` is for whole numbers and a number has a fraction, is not
            finite or is out of range; or if `dtype` is for floats, and a whole number
            is too large to be exact in it.
    """
    kind = values.dtype.kind
    if not values.size or kind not in "iuf" or values.dtype == dtype.as_numpy_dtype:
        return
    if dtype.is_integer:
        whole = np.isfinite(values) & (values == np.floor(values))
        if not whole.all():
            raise ValueError(
                f"{name} must hold whole numbers, because the net takes {dtype.name}. "
                f"Received: {values[~whole][0]:.4g}. Use a net that takes floats, or "
                "give whole numbers."
            )
        low, high = dtype.min, dtype.max
        remedy = "Number what they stand for from 0, or use a net that takes int64."
    elif dtype in _DIGITS and kind in "iu":
        high = 2 ** _DIGITS[dtype]
        low = -high
        remedy = "Use a net that takes integers, or give floats, which may be rounded."
    else:
        return
    largest = max(int(values.min()), int(values.max()), key=abs)
    if not low <= largest <= high:
        raise ValueError(
            f"{name} must hold whole numbers in {low}..{high}, because the net takes "
            f"{dtype.name}. Received: {largest}. {remedy}"
        )


def check_inputs(sets: dict[str, Any], inputs: Any) -> None:
    """Checks sets of examples by `check_castable`.

    Args:
        sets: The examples of each set, a nest of arrays or eager tensors, by the name
            of the set in an error, such as "support_x".
        inputs: The net's inputs, a nest of `tf.TensorSpec`; None for a learner without
            a net, which computes with float32.

    Raises:
        ValueError: If a number of the examples would become another one in the net.
    """
    for part, x in sets.items():
        leaves = named(x, part)
        specs = tf.nest.flatten(inputs)
        if inputs is None:
            specs = [tf.TensorSpec(None)] * len(leaves)
        if len(specs) != len(leaves):
            continue  # The net itself says what it misses.
        for spec, (name, leaf) in zip(specs, leaves.items(), strict=True):
            if tf.as_dtype(leaf.dtype) != spec.dtype:
                check_castable(name, np.asarray(leaf), spec.dtype)
