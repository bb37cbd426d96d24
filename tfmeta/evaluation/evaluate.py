"""The metric of a learner over frozen episodes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Episode, map_tasks
from tfmeta.core.episode import Tensor
from tfmeta.data import Split
from tfmeta.data import episodes as episode_dataset
from tfmeta.evaluation.result import Result
from tfmeta.learners import Learner, as_learner
from tfmeta.ops import correct

_TASKS_AT_ONCE = 20


def evaluate(
    model: Any,
    split: Split,
    *,
    way: int,
    shot: int,
    query: int | None = 15,
    episodes: int = 600,
    seed: int = 1,
    steps: int | None = None,
    curve: bool = False,
    scorer: Scorer | None = None,
) -> Result:
    """Scores a learner on frozen episodes: the same for every learner and run.

    Episode i is a function of the split, the seed and i alone. Way and shot need not
    be those of training.

    Args:
        model: A `MetaModel` or a `Learner`.
        split: Which classes, such as `data.test`.
        way: Classes in an episode.
        shot: Support examples per class.
        query: Queries per class; None for all that are left.
        episodes: How many.
        seed: Which.
        steps: Inner steps; None for the learner's own number outside training.
        curve: Whether to score after every inner step too, where there are any.
        scorer: A `Scorer` of the same learner to use again, so that repeated
            evaluations (as in validation) compile once.

    Returns:
        The `Result`, with the score of each episode.

    Raises:
        ValueError: If the learner or the split cannot serve that way or shot.
    """
    learner = as_learner(model)
    if learner.max_way is not None and way > learner.max_way:
        raise ValueError(
            f"way={way} needs a head of {way} outputs, but the net has "
            f"{learner.max_way}. Lower way, or train a net without a head."
        )
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1. Received: {episodes}.")
    start = time.perf_counter()
    stream = episode_dataset(
        split,
        way=way,
        shot=shot,
        query=query,
        tasks=_TASKS_AT_ONCE if query is not None else 1,
        seed=seed,
        count=episodes,
    )
    scorer = scorer or Scorer(learner, steps=steps, curve=curve)
    parts = [scorer(x, y).numpy() for x, y in stream]
    scores = np.concatenate(parts, axis=-1)
    return Result(
        learner=type(learner).__name__,
        metric="accuracy",
        scores=scores[-1],
        split=split.name,
        way=way,
        shot=shot,
        query=query,
        seed=seed,
        normalisation=learner.normalisation,
        steps=scorer.steps,
        seconds=time.perf_counter() - start,
        curve=scores if len(scores) > 1 else None,
    )


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

    def __call__(self, x: dict[str, Tensor], y: Tensor) -> Tensor:
        """The scores of a batch.

        Args:
            x: `support_x`, `support_y`, `query_x`, each `(tasks, examples, ...)`.
            y: `(tasks, queries)`.

        Returns:
            `(1, tasks)`; or `(steps + 1, tasks)` with the curve, the last row being
            the score after all steps.
        """
        return self._score(x, y)

    def _scores(self, x: dict[str, Tensor], y: Tensor) -> Tensor:
        episode = Episode.from_batch(x, y)
        if self.curve:
            scores, _ = map_tasks(lambda task: (self._curve_of_one(task), []), episode)
            return tf.transpose(scores)
        adapted = self.learner.adapt_many(episode.support, steps=self.steps)
        logits = self.learner.predict_many(adapted, episode.query.x)
        return tf.reduce_mean(correct(logits, y), axis=-1)[None]

    def _curve_of_one(self, episode: Episode) -> Tensor:
        way = self.learner.trajectory(episode.support, steps=self.steps)
        return tf.map_fn(
            lambda adapted: tf.reduce_mean(
                correct(self.learner.predict(adapted, episode.query.x), episode.query.y)
            ),
            way,
            fn_output_signature=tf.float32,
        )
