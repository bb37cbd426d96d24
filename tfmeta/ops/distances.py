"""How far queries are from references."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Tensor


def squared_euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distance of every row of `a` to every row of `b`.

    It is computed as |a|^2 - 2ab + |b|^2, so that the work is one matrix product. The
    rows are first moved to the mean of `b`: far from the origin the three terms would
    be so large that their difference is lost in rounding.

    Args:
        a: `(n, features)`.
        b: `(m, features)`.

    Returns:
        `(n, m)`, at least zero up to rounding.
    """
    centre = _centre(b)
    a, b = a - centre, b - centre
    a2 = tf.reduce_sum(tf.square(a), -1, keepdims=True)
    b2 = tf.reduce_sum(tf.square(b), -1)
    return a2 - 2.0 * tf.matmul(a, b, transpose_b=True) + b2


def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between every row of `a` and every row of `b`.

    Args:
        a: `(n, features)`.
        b: `(m, features)`.

    Returns:
        `(n, m)`, in -1..1; 0 for a zero row, whose gradient is finite.
    """
    return tf.matmul(_unit(a), _unit(b), transpose_b=True)


def _centre(rows: Tensor) -> Tensor:
    """The mean of all rows but the zero rows, `(1, features)`, as a constant.

    A zero row may stand for a class without examples, which must not move the centre.
    Distances do not depend on the centre, so their gradients are exact without its own.
    """
    used = tf.reduce_any(tf.not_equal(rows, 0), -1)
    count = tf.maximum(tf.reduce_sum(tf.cast(used, rows.dtype)), 1)
    return tf.stop_gradient(tf.reduce_sum(rows / count, 0, keepdims=True))


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1; zero rows stay as they are.

    A row is first divided by its largest magnitude, so that no square is too large or
    too small. The angle does not depend on this size, so it is taken as a constant.
    """
    size = tf.stop_gradient(tf.reduce_max(tf.abs(rows), -1, keepdims=True))
    zero = tf.equal(size, 0)
    rows = rows / tf.where(zero, tf.ones_like(size), size)
    squares = tf.reduce_sum(tf.square(rows), -1, keepdims=True)
    return rows * tf.math.rsqrt(tf.where(zero, tf.ones_like(squares), squares))
