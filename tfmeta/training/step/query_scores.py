"""The losses and the metrics of a batch's queries, without those that are padding."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.core import Targets, map_tasks
from tfmeta.core.episode import Nest, Tensor


def query_losses(
    targets: Targets, x: dict[str, Any], y: Tensor, predictions: Nest
) -> Tensor:
    """The mean loss of each task's queries.

    Args:
        targets: The kind of `y`.
        x: The inputs of a batch; "query_count" tells which queries are real.
        y: The labels or values of the queries, `(tasks, queries, ...)`.
        predictions: The predictions, `(tasks, queries, ...)`.

    Returns:
        The losses, `(tasks,)`.
    """
    counts = x.get("query_count")
    if counts is not None:
        counts = (tf.nest.map_structure(lambda _: counts, predictions), counts)
    return map_tasks(
        lambda task: (targets.loss(*task), []), (predictions, y), counts=counts
    )[0]


def real_queries(
    x: dict[str, Any], y: Tensor, predictions: Tensor
) -> tuple[Tensor, Tensor]:
    """The queries of all tasks that are no padding, as Keras' metrics take them.

    Args:
        x: The inputs of a batch; "query_count" tells which queries are real.
        y: The labels or values of the queries, `(tasks, queries, ...)`.
        predictions: The predictions, `(tasks, queries, ...)`.

    Returns:
        Labels or values, and predictions, both `(all real queries, ...)`.
    """
    real = tf.ones(tf.shape(y)[:2], tf.bool)
    if "query_count" in x:
        real = tf.sequence_mask(x["query_count"], tf.shape(y)[1])
    # Keras' metrics take a way that is not known beforehand in two axes only.
    return tf.boolean_mask(y, real), tf.boolean_mask(predictions, real)
