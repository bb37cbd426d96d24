"""Cross-entropies, which give their gradient beside the loss."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def sparse(op: tf.Operation, logits: Any, labels: Any) -> tuple[Any, Any]:
    """`SparseSoftmaxCrossEntropyWithLogits`."""
    truth = tf.one_hot(labels, tf.shape(logits)[-1], dtype=logits.dtype)
    return dense(op, logits, truth)


def dense(op: tf.Operation, logits: Any, truth: Any) -> tuple[Any, Any]:
    """`SoftmaxCrossEntropyWithLogits`."""
    shifted = logits - tf.reduce_max(logits, -1, keepdims=True)
    powers = tf.exp(shifted)
    total = tf.reduce_sum(powers, -1, keepdims=True)
    # A class that is out of the question has an infinite cost.
    costs = tf.where(truth == 0, tf.zeros_like(truth), tf.math.log(total) - shifted)
    loss = tf.reduce_sum(truth * costs, -1)
    return loss, powers / total - truth


LOSSES = {
    "SoftmaxCrossEntropyWithLogits": dense,
    "SparseSoftmaxCrossEntropyWithLogits": sparse,
}
