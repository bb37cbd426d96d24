"""Random bits of several tasks at once."""

from __future__ import annotations

import tensorflow as tf


def random_bits(keys: tf.Tensor, count: int) -> tf.Tensor:
    """Draws integers from the whole range of int64, a row for each key.

    A row is a function of its key alone, and its first entries do not depend on
    `count`.

    Args:
        keys: `(tasks, 2)` int64, as `tfmeta.core.keys.key` makes them.
        count: The number of integers in a row.

    Returns:
        `(tasks, count)` int64.
    """

    def row(key: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform(
            (count,), key, minval=None, maxval=None, dtype=tf.int64, alg="philox"
        )

    # A row is so little work that drawing one row after the other is the fastest.
    signature = tf.TensorSpec((count,), tf.int64)
    return tf.map_fn(row, keys, fn_output_signature=signature, parallel_iterations=1)
