"""The metric of a learner over frozen episodes."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from tfmeta.data import Part
from tfmeta.evaluation.frozen import Digest, episodes_for
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
    be those of training. An episode's scores are the metrics of its queries; the
    primary one is the accuracy of labels, and the mean squared error of values.

    Args:
        model: A `MetaModel` or a `Learner`.
        split: The part to draw from, such as `data.test`.
        way: Classes in an episode; left out where tasks have no classes.
        shot: Support examples per class.
        query: Queries per class; None for all that are left.
        episodes: The number of episodes.
        seed: Another seed, other episodes.
        steps: The number of inner steps; None for the learner's own outside training.
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
    asked = episodes_for(
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
    targets, parts, drawn = asked.targets_for(learner), [], Digest()
    for x, y in asked.stream:
        drawn.add(x, y)
        parts.append(scorer(x, y))
    metrics = {
        name: np.concatenate([part[name].numpy() for part in parts], axis=-1)
        for name in parts[0]
    }
    scores = metrics[targets.metric]
    return Result(
        learner=type(learner).__name__,
        metric=targets.metric,
        scores=scores[-1],
        metrics={name: values[-1] for name, values in metrics.items()},
        split=split.name,
        way=asked.way,
        shot=asked.shot,
        query=asked.query,
        seed=asked.seed,
        normalisation=learner.mode,
        steps=scorer.steps,
        seconds=time.perf_counter() - start,
        curve=scores if len(scores) > 1 else None,
        drawn=drawn.text(),
    )
