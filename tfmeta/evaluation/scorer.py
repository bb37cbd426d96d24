"""Answers and scores of batches of episodes, in compiled graphs."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.core import Episode, Examples, map_tasks, padded
from tfmeta.core.episode import Tensor
from tfmeta.learners import Learner
from tfmeta.ops import task_score


class Scorer:
    """Scores batches of episodes in one compiled graph.

    Args:
        learner: Whom.
        steps: Inner steps; None for the learner's own number.
        curve: Whether to score after every inner step too, where there are any.
    """

    def __init__(
        self, learner: Learner, *, steps: int | None = None, curve: bool = False
    ):
        self.learner = learner
        self.steps: Any = learner.default_steps
        if self.steps is not None and steps is not None:
            self.steps = steps
        self.curve = curve and self.steps is not None
        self._score = tf.function(self._scores, autograph=False, reduce_retracing=True)
        self._answer = tf.function(
            self._answers, autograph=False, reduce_retracing=True
        )

    def __call__(self, x: dict[str, Tensor], y: Tensor) -> Tensor:
        """The scores of a batch.

        Args:
            x: `support_x`, `support_y`, `query_x`, each `(tasks, examples, ...)`; where
                tasks differ in size also `support_count` and `query_count`, `(tasks,)`.
            y: `(tasks, queries)` labels, or `(tasks, queries, ...)` float targets.

        Returns:
            `(1, tasks)`; or `(steps + 1, tasks)` with the curve, the last row being
            the score after all steps.

        Raises:
            ValueError: If targets are not shaped as the learner's answers.
        """
        return self._score(x, y)

    def answers(self, x: dict[str, Tensor]) -> Tensor:
        """The logits or values for a batch's queries.

        Args:
            x: As in a call.

        Returns:
            `(tasks, queries, ...)`.
        """
        return self._answer(x)

    def _answers(self, x: dict[str, Tensor]) -> Tensor:
        episode, counts = Episode.from_batch(x, None), Episode.counts(x)
        support, query_x = episode.support, episode.query.x
        if counts is None:
            adapted = self.learner.adapt_many(support, steps=self.steps)
            return self.learner.predict_many(adapted, query_x)

        def one(task: tuple[Examples, Tensor]) -> tuple[Tensor, list]:
            adapted = self.learner.adapt(task[0], steps=self.steps)
            answers = self.learner.predict(adapted, task[1])
            return padded(answers, tf.shape(query_x)[1]), []

        return map_tasks(
            one, (support, query_x), counts=(counts.support, counts.query.x)
        )[0]

    def _scores(self, x: dict[str, Tensor], y: Tensor) -> Tensor:
        if self.curve:
            scores, _ = map_tasks(
                lambda task: (self._curve_of_one(task), []),
                Episode.from_batch(x, y),
                counts=Episode.counts(x),
            )
            return tf.transpose(scores)
        counts = x.get("query_count", tf.fill(tf.shape(y)[:1], tf.shape(y)[1]))
        return tf.map_fn(
            lambda task: task_score(task[0][: task[2]], task[1][: task[2]]),
            (self._answers(x), y, counts),
            fn_output_signature=tf.float32,
        )[None]

    def _curve_of_one(self, episode: Episode) -> Tensor:
        path = self.learner.trajectory(episode.support, steps=self.steps)
        return tf.map_fn(
            lambda adapted: task_score(
                self.learner.predict(adapted, episode.query.x), episode.query.y
            ),
            path,
            fn_output_signature=tf.float32,
        )
