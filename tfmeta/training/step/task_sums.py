"""Maps a learner's meta-gradient over a batch of tasks, and sums it."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfmeta.core import Batch, Options, keys, map_tasks, padded
from tfmeta.core.episode import Nest, Tensor
from tfmeta.learners import Learner


class TaskSums(NamedTuple):
    """The sums over a batch of tasks that an outer step needs.

    Attributes:
        gradients: The sum of the tasks' meta-gradients, a tensor for each of the
            learner's trainable variables.
        statistics: The sum of the tasks' new moving statistics, a tensor for each of
            the learner's `statistics`; an empty list where the mode keeps none.
        count: The number of tasks, a scalar int32. All tasks have the same weight.
    """

    gradients: list[Tensor]
    statistics: list[Tensor]
    count: Tensor

    def mean(self, sums: list[Tensor]) -> list[Tensor]:
        """The means over tasks of `gradients` or of `statistics`."""
        return [total / tf.cast(self.count, total.dtype) for total in sums]


def sum_over_tasks(
    learner: Learner,
    batch: Batch,
    *,
    task_keys: Tensor,
    outer_step: Any,
    loss_scale: Tensor | None,
    strategy: str,
) -> tuple[Tensor, Nest, TaskSums]:
    """The losses, the predictions and the sums of a batch of tasks.

    Args:
        learner: The learner in training.
        batch: The tasks.
        task_keys: The random key of each task, `(tasks, 2)` int64.
        outer_step: The number of outer steps done so far.
        loss_scale: The factor of the loss in half precision; None for 1.
        strategy: The task map, see `tfmeta.core.map_tasks`.

    Returns:
        The losses `(tasks,)`, the predictions `(tasks, queries, ...)` (zeros for padded
        queries), and the sums.
    """
    variables = learner.variables
    shared = {
        "values": [tf.convert_to_tensor(v.value) for v in variables],
        "outer_step": tf.convert_to_tensor(outer_step),
        "scale": [] if loss_scale is None else [loss_scale],
    }
    rows = tf.shape(batch.episode.query.y)[1]

    def padded_to(prediction: Tensor) -> Tensor:
        return prediction if batch.counts is None else padded(prediction, rows)

    def one(task: Nest, shared: Nest) -> tuple[Nest, Nest]:
        episode, task_key, descriptor = task
        options = _options(task_key, descriptor, shared)
        bound = list(zip(variables, shared["values"], strict=True))
        with keras.StatelessScope(state_mapping=bound):
            loss, outputs, gradients = learner.meta_gradients(episode, options)
        predictions = tf.nest.map_structure(padded_to, outputs["predictions"])
        return (loss, predictions), (gradients, outputs["statistics"])

    (losses, predictions), (gradients, statistics) = map_tasks(
        one,
        (batch.episode, task_keys, batch.task),
        shared=shared,
        strategy=strategy,
        counts=batch.counts and (batch.counts, None, batch.task_counts),
    )
    return losses, predictions, TaskSums(gradients, statistics, batch.num_tasks)


def _options(task_key: Tensor, descriptor: Nest, shared: dict[str, Any]) -> Options:
    return Options(
        training=True,
        seed=keys.fold(task_key[0], "number", task_key[1]),
        outer_step=shared["outer_step"],
        task=descriptor,
        loss_scale=next(iter(shared["scale"]), None),
    )
