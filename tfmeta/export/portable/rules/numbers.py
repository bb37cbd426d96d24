"""Operations that mark or test numbers, and sums of several tensors."""

from __future__ import annotations

import functools
import operator
from typing import Any

import tensorflow as tf


def same(op: tf.Operation, *inputs: Any) -> list[Any]:
    """What returns its inputs: the operations that only stop or mark gradients."""
    return list(inputs)


def is_finite(op: tf.Operation, x: Any) -> Any:
    """`IsFinite`: infinity less itself is no number."""
    return tf.equal(x - x, tf.zeros_like(x))


def add_n(op: tf.Operation, *inputs: Any) -> Any:
    """`AddN`."""
    return functools.reduce(operator.add, inputs)


def select(op: tf.Operation, chosen: Any, x: Any, y: Any) -> Any:
    """`Select`, whose condition may be a vector that chooses rows."""
    if chosen.shape.rank == 1 and x.shape.rank > 1:
        chosen = tf.reshape(chosen, [-1, *[1] * (x.shape.rank - 1)])
    return tf.where(chosen, x, y)


def erfc(op: tf.Operation, x: Any) -> Any:
    """`Erfc`: 1 less the error function."""
    return 1 - tf.math.erf(x)


def lower_bound(op: tf.Operation, rows: Any, values: Any) -> Any:
    """`LowerBound`: how many entries of a sorted row are below each value."""
    below = tf.expand_dims(rows, 1) < tf.expand_dims(values, 2)
    return tf.reduce_sum(tf.cast(below, op.get_attr("out_type")), 2)


def upper_bound(op: tf.Operation, rows: Any, values: Any) -> Any:
    """`UpperBound`: how many entries of a sorted row are not above each value."""
    below = tf.expand_dims(rows, 1) <= tf.expand_dims(values, 2)
    return tf.reduce_sum(tf.cast(below, op.get_attr("out_type")), 2)


NUMBERS = {
    "AddN": add_n,
    "Erfc": erfc,
    "IdentityN": same,
    "IsFinite": is_finite,
    "LowerBound": lower_bound,
    "PlaceholderWithDefault": same,
    "PreventGradient": same,
    "Select": select,
    "StopGradient": same,
    "UpperBound": upper_bound,
}
