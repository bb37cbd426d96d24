"""Products of matrices for LiteRT."""

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


PRODUCTS = {"MatMul": matmul}
