"""Scores a learner on frozen episodes."""

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
    """Scores a learner on frozen episodes, the same for every learner and run.

    Episode number i is a function of the split, the seed and i alone. Way and shot may
    differ from those of training. An episode's scores are the metrics of its queries.
    The primary metric is the accuracy for labels, the mean squared error for values.

    Args:
        model: A `MetaModel` or a `Learner`.
        split: The part to draw from, such as `data.test`.
        way: The number of classes in an episode; None where tasks have no classes.
        shot: The number of support examples per class.
        query: The number of queries per class; None for all that are left.
        episodes: The number of episodes.
        seed: The seed of the episodes; another seed draws other episodes.
        steps: The number of inner steps; None for the learner's own number outside
            training.
        curve: Whether to score after every inner step too, if the learner takes any.
        scorer: A `Scorer` of the same learner to use again, so that repeated
            evaluations (as in validation) compile once. Its `steps` and `curve` count.
        episodes_file: A file that `tfmeta.data.save_episodes` wrote. Its episodes take
            the place of `way`, `shot`, `query`, `episodes` and `seed`.

    Returns:
        The `Result`, with the score of each episode.

    Raises:
        ValueError: If the learner or the split cannot serve that way or shot, or if
            `scorer` belongs to another learner.
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
