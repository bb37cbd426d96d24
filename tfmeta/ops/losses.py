"""What a task is scored by: labels by cross-entropy, targets by squared error."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Tensor


def task_loss(predictions: Tensor, y: Tensor) -> Tensor:
    """The mean loss over one task's examples.

    Args:
        predictions: `(examples, way)` logits where `y` are labels, else
            `(examples, ...)` values.
        y: `(examples,)` int32 labels: softmax cross-entropy in nats. Or float targets
            of the shape of `predictions`: squared error.

    Returns:
        A scalar.
    """
    if y.dtype.is_integer:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, predictions)
    else:
        each = tf.square(predictions - y)
    return tf.reduce_mean(each)


def correct(predictions: Tensor, y: Tensor) -> Tensor:
    """Whether the largest logit is the label's, as 0.0 or 1.0.

    Args:
        predictions: `(..., way)` logits.
        y: `(...)` int32 labels.

    Returns:
        `(...)` float32.
    """
    guess = tf.argmax(predictions, -1, output_type=y.dtype)
    return tf.cast(tf.equal(guess, y), tf.float32)
