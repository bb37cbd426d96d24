"""Predictions and scores of batches of episodes, in compiled graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core import Batch, Episode, Options, map_tasks
from tfmeta.core.episode import Nest, Tensor
from tfmeta.data.prepare.fits import checked_batch
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.learners import Learner


class Scorer:
    """Scores batches of episodes in compiled graphs.

    Args:
        learner: The learner to score.
        prepare: How raw inputs become what the learner takes; see `MetaModel`.
        steps: The number of inner steps; None for the learner's own number.
        curve: Whether to score after every inner step too, if the learner takes any;
            or the numbers of steps to score after. The last row is always that after
            all steps.

    Raises:
        ValueError: If `steps` is below 0 or the learner takes none, or if a number in
            `curve` is not in 0..steps.

    Attributes:
        curve_steps: The numbers of inner steps that are scored, in rising order; empty
            without a curve.
    """

    def __init__(
        self,
        learner: Learner,
        prepare: Any = None,
        *,
        steps: int | None = None,
        curve: bool | Sequence[int] = False,
    ):
        if steps is not None and steps < 0:
            raise ValueError(f"steps must be at least 0, or None. Received: {steps}.")
        if steps is not None and learner.default_steps is None:
            raise ValueError(
                f"{type(learner).__name__} takes no inner steps. Received: "
                f"steps={steps}. Leave out steps."
            )
        self.learner = learner
        self.prepare = as_preparation(prepare, learner.inputs)
        self.steps: Any = learner.default_steps
        if steps is not None:
            self.steps = steps
        self.curve_steps = _curve_steps(curve, self.steps)
        # They are traced by `get_concrete_function`: TensorFlow counts the traces of
        # calls over all scorers of a process, and would warn of too many.
        self._prepare = tf.function(
            self.prepare.tasks, autograph=False, reduce_retracing=True
        )
        self._score = tf.function(self._scores, autograph=False, reduce_retracing=True)
        self._predict = tf.function(
            lambda x: self.learner.answer(x, steps=self.steps),
            autograph=False,
            reduce_retracing=True,
        )

    def __call__(self, x: dict[str, Nest], y: Tensor) -> dict[str, Tensor]:
        """The scores of a batch.

        Args:
            x: The raw inputs of a batch of episodes, see `tfmeta.core.Batch.read`.
            y: `(tasks, queries)` labels, or `(tasks, queries, ...)` float targets.

        Returns:
            The float32 scores by the name of the metric, `(1, tasks)` each. With the
            curve they have a row for each of `curve_steps`, and the last row has the
            scores after all steps.

        Raises:
            ValueError: If the net cannot take the prepared examples, or float targets
                do not have the shape of the predictions.
        """
        x = self._prepared(x)
        return _traced(self._score, x, y)(x, y)

    def predictions(self, x: dict[str, Nest]) -> Nest:
        """The logits or values for a batch's queries.

        Args:
            x: The raw inputs of a batch of episodes, see `tfmeta.core.Batch.read`.

        Returns:
            `(tasks, queries, ...)`.

        Raises:
            ValueError: If the net cannot take the prepared examples.
        """
        x = self._prepared(x)
        return _traced(self._predict, x)(x)

    def settings(self) -> dict[str, Any]:
        """The fields of a `Result` that say which learner was scored, and how."""
        return {
            "learner": type(self.learner).__name__,
            "normalisation": self.learner.mode,
            "steps": self.steps,
        }

    def _prepared(self, x: dict[str, Nest]) -> dict[str, Nest]:
        """Prepares a batch outside of the tasks' graph, and checks what it becomes."""
        return checked_batch(
            self.prepare,
            x,
            self.learner.inputs,
            lambda sets: _traced(self._prepare, sets)(sets),
        )

    def _scores(self, x: dict[str, Nest], y: Tensor) -> dict[str, Tensor]:
        if self.curve_steps:
            return self._curves(Batch.read(x, y))
        targets = self.learner.targets_for(y)
        counts = x.get("query_count", tf.fill(tf.shape(y)[:1], tf.shape(y)[1]))

        def one(task: Nest) -> dict[str, Tensor]:
            *both, real = task
            return targets.metrics(*tf.nest.map_structure(lambda t: t[:real], both))

        predictions = self.learner.answer(x, steps=self.steps)
        scores = _mapped(one, (predictions, y, counts))
        return {name: score[tf.newaxis] for name, score in scores.items()}

    def _curves(self, batch: Batch) -> dict[str, Tensor]:
        def one(task: tuple[Episode, Nest]) -> tuple[dict[str, Tensor], list]:
            episode, descriptor = task
            options = Options(steps=self.steps, task=descriptor)
            targets = self.learner.targets_for(episode.query.y)
            path = self.learner.trajectory(
                episode.support, options, after=self.curve_steps
            )

            def score(adapted: Nest) -> dict[str, Tensor]:
                predictions = self.learner.predict(adapted, episode.query.x, options)
                return targets.metrics(predictions, episode.query.y)

            return _mapped(score, path), []

        counts = batch.counts and (batch.counts, batch.task_counts)
        scores, _ = map_tasks(one, (batch.episode, batch.task), counts=counts)
        return {name: tf.transpose(score) for name, score in scores.items()}


def _curve_steps(curve: bool | Sequence[int], steps: int | None) -> tuple[int, ...]:
    """The numbers of inner steps to score after; none for a learner without steps."""
    if steps is None or curve is False:
        return ()
    possible = range(steps + 1)
    asked = {*possible} if curve is True else {*curve, steps}
    beyond = sorted(asked.difference(possible))
    if beyond:
        raise ValueError(
            f"curve must be numbers of inner steps in 0..{steps}. Received: {beyond}. "
            "Raise steps, or leave them out."
        )
    return tuple(sorted(asked))


def _traced(function: Any, *batch: Nest) -> Any:
    """A graph for batches like this one, of any number of tasks."""
    specs = tf.nest.map_structure(
        lambda t: tf.TensorSpec((None, *t.shape[1:]), t.dtype), batch
    )
    return function.get_concrete_function(*specs)


def _mapped(function: Any, nest: Nest) -> dict[str, Tensor]:
    """Maps a function that returns float32 scalars by name over the leading axis."""
    first = tf.nest.map_structure(lambda t: t[0], nest)
    names = tf.function(function, autograph=False).get_concrete_function(
        tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), first)
    )
    signature = dict.fromkeys(names.structured_outputs, tf.float32)
    return tf.map_fn(function, nest, fn_output_signature=signature)
