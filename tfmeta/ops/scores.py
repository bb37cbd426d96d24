"""What a task is judged by: labels by accuracy, targets by squared error."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Tensor
from tfmeta.ops.losses import correct, task_loss


def task_score(predictions: Tensor, y: Tensor) -> Tensor:
    """The metric of one task's queries.

    Args:
        predictions: `(queries, way)` logits where `y` are labels, else
            `(queries, ...)` values.
        y: `(queries,)` int32 labels: accuracy in 0..1. Or float targets of the shape
            of `predictions`: mean squared error, in target units squared.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: If targets are not shaped as the predictions.
    """
    if y.dtype.is_integer:
        return tf.reduce_mean(correct(predictions, y))
    return tf.cast(task_loss(predictions, y), tf.float32)
