"""The metric of a learner over frozen episodes."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from tfmeta.data import Part
from tfmeta.evaluation.frozen import Digest, judged_on
from tfmeta.evaluation.result import Result
from tfmeta.evaluation.scorer import Scorer
from tfmeta.learners import as_learner


def evaluate(
    model: Any,
    split: Part,
    *,
    way: int | None = None,
    shot: int | None = None,
    query: int | None = 15,
    episodes: int = 600,
    seed: int = 1,
    steps: int | None = None,
    curve: bool = False,
    scorer: Scorer | None = None,
    episodes_file: str | os.PathLike[str] | None = None,
) -> Result:
    """Scores a learner on frozen episodes: the same for every learner and run.

    Episode i is a function of the split, the seed and i alone. Way and shot need not
    be those of training. Labels are scored by accuracy, float targets by the mean
    squared error of an episode's queries.

    Args:
        model: A `MetaModel` or a `Learner`.
        split: Which classes, such as `data.test`.
        way: Classes in an episode; left out for regression.
        shot: Support examples per class.
        query: Queries per class; None for all that are left.
        episodes: How many.
        seed: Which.
        steps: Inner steps; None for the learner's own number outside training.
        curve: Whether to score after every inner step too, where there are any.
        scorer: A `Scorer` of the same learner to use again, so that repeated
            evaluations (as in validation) compile once.
        episodes_file: A file of `tfmeta.data.save_episodes`, in place of way, shot,
            query, episodes and seed: those are the file's.

    Returns:
        The `Result`, with the score of each episode.

    Raises:
        ValueError: If the learner or the split cannot serve that way or shot, or the
            scorer is another learner's.
    """
    learner = as_learner(model)
    start = time.perf_counter()
    asked = judged_on(
        learner,
        split,
        way=way,
        shot=shot,
        query=query,
        episodes=episodes,
        seed=seed,
        episodes_file=episodes_file,
    )
    if scorer is not None and scorer.learner is not learner:
        raise ValueError("scorer must be of the learner that is scored, not another.")
    scorer = scorer or Scorer(learner, steps=steps, curve=curve)
    parts, drawn = [], Digest()
    for x, y in asked.stream:
        drawn.add(x, y)
        parts.append(scorer(x, y).numpy())
    scores = np.concatenate(parts, axis=-1)
    return Result(
        learner=type(learner).__name__,
        metric=asked.metric,
        scores=scores[-1],
        split=split.name,
        way=asked.way,
        shot=asked.shot,
        query=asked.query,
        seed=asked.seed,
        normalisation=learner.normalisation,
        steps=scorer.steps,
        seconds=time.perf_counter() - start,
        curve=scores if len(scores) > 1 else None,
        drawn=drawn.text(),
    )
