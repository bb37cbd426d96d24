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

    Raises:
        ValueError: If targets are not shaped as the predictions.
    """
    if y.dtype.is_integer:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, predictions)
    else:
        # A missing axis would be broadcast, to a wrong loss and no error.
        if not predictions.shape.is_compatible_with(y.shape):
            raise ValueError(
                "Float targets must have the shape of the predictions. Received: "
                f"targets {y.shape}, predictions {predictions.shape}. Reshape the "
                "targets, or give the net as many outputs; labels must be integers."
            )
        each = tf.square(predictions - y)
    return tf.reduce_mean(each)


def correct(predictions: Tensor, y: Tensor) -> Tensor:
    """Whether the largest logit is the label's, as 0.0 or 1.0.

    Args:
        predictions: `(..., way)` logits.
        y: `(...)` int32 labels.

    Returns:
        `(...)` float32; NaN where a logit is: a learner that diverged is not right by
        chance.
    """
    guess = tf.argmax(predictions, -1, output_type=y.dtype)
    right = tf.cast(tf.equal(guess, y), tf.float32)
    diverged = tf.reduce_any(tf.math.is_nan(predictions), -1)
    return tf.where(diverged, tf.constant(float("nan"), tf.float32), right)
