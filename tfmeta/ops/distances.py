"""How far queries are from references."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Tensor


def squared_euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distance of every row of `a` to every row of `b`.

    It is computed as |a|^2 - 2ab + |b|^2, so that the work is one matrix product.

    Args:
        a: `(n, features)`.
        b: `(m, features)`.

    Returns:
        `(n, m)`, at least zero up to rounding.
    """
    a2 = tf.reduce_sum(tf.square(a), -1, keepdims=True)
    b2 = tf.reduce_sum(tf.square(b), -1)
    return a2 - 2.0 * tf.matmul(a, b, transpose_b=True) + b2


def cosine_similarity(a: Tensor, b: Tensor, *, epsilon: float = 1e-8) -> Tensor:
    """Cosine of the angle between every row of `a` and every row of `b`.

    Args:
        a: `(n, features)`.
        b: `(m, features)`.
        epsilon: The number added to the squared norms, so that a zero row gives zeros.

    Returns:
        `(n, m)`, in -1..1.
    """

    def unit(v):
        return v * tf.math.rsqrt(tf.reduce_sum(tf.square(v), -1, True) + epsilon)

    return tf.matmul(unit(a), unit(b), transpose_b=True)
