"""What LiteRT alone needs otherwise."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def matmul(op: tf.Operation, a: Any, b: Any) -> Any:
    """`MatMul` of two matrices that the graph computes, as a batch of one.

    LiteRT's converter makes of a product and a ReLU one operation, and then, if no
    matrix is constant, another one that forgets the ReLU. It leaves batches alone.
    """
    if tf.get_static_value(a) is not None or tf.get_static_value(b) is not None:
        return NotImplemented
    product = tf.matmul(
        tf.expand_dims(a, 0),
        tf.expand_dims(b, 0),
        transpose_a=op.get_attr("transpose_a"),
        transpose_b=op.get_attr("transpose_b"),
    )
    return tf.squeeze(product, [0])


def erf(op: tf.Operation, x: Any) -> Any:
    """`Erf`, which is off by at most 2e-7.

    Reference:
        M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 1964, formula
        7.1.26.
    """
    return tf.sign(x) * (1 - _tail(tf.abs(x)))


def erfc(op: tf.Operation, x: Any) -> Any:
    """`Erfc`, as `erf`."""
    tail = _tail(tf.abs(x))
    return tf.where(x < 0, 2 - tail, tail)


def _tail(x: Any) -> Any:
    """1 less the error function of numbers of at least 0."""
    t = 1 / (1 + 0.3275911 * x)
    total = tf.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        total = (total + factor) * t
    return total * tf.exp(-x * x)


def split(op: tf.Operation, axis: Any, x: Any) -> Any:
    """`Split` of truth values, as slices: LiteRT splits numbers alone."""
    if x.dtype != tf.bool:
        return NotImplemented
    place, parts = int(tf.get_static_value(axis)), op.get_attr("num_split")
    size = x.shape[place] // parts
    before = (slice(None),) * (place % x.shape.rank)
    return [x[(*before, slice(i * size, (i + 1) * size))] for i in range(parts)]


ONLY_LITERT = {"Erf": erf, "Erfc": erfc, "MatMul": matmul, "Split": split}
