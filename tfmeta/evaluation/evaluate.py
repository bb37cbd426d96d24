"""Scores a learner on frozen episodes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmeta.data import Part
from tfmeta.data.stores.drawing import drawing_from
from tfmeta.evaluation.frozen import Digest, Frozen, episodes_for
from tfmeta.evaluation.prepared import preparation_of
from tfmeta.evaluation.result import Result
from tfmeta.evaluation.scorer import Scorer
from tfmeta.evaluation.short_calls import Progress, in_short_calls
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
    curve: bool | Sequence[int] = False,
    scorer: Scorer | None = None,
    episodes_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Scores a learner on frozen episodes, the same for every learner and run.

    Episode number i is a function of the split, way, shot, query, seed and i alone.
    Way and shot may differ from those of training. An episode's scores are the metrics
    of its queries. A learner that does not adapt, such as `Supervised`, is scored on
    every example of the split, each as an episode of one query; leave out all that is
    said of episodes then. The primary metric is the accuracy for labels, the mean
    squared error for values.

    Args:
        model: A `MetaModel`, which prepares the examples itself, or a `Learner`, for
            which the split's `prepare` does it.
        split: The part to draw from, such as `data.test`.
        way: The number of classes in an episode; None where tasks have no classes.
        shot: The number of support examples per class.
        query: The number of queries per class; None for all that are left.
        episodes: The number of episodes.
        seed: The seed of the episodes; another seed draws other episodes.
        steps: The number of inner steps; None for the learner's own number outside
            training.
        curve: Whether to score after every inner step too, if the learner takes any;
            or the numbers of steps to score after, such as `(0, 1, 5)`.
        scorer: A `Scorer` of the same learner to use again, so that repeated
            evaluations (as in validation) compile once. It has its own
            preparation, `steps` and `curve`, so leave the latter two out.
        episodes_file: A file that `tfmeta.data.save_episodes` wrote. Its episodes take
            the place of `way`, `shot`, `query`, `episodes` and `seed`.
        progress: A function that is called, about twice a second, with the number of
            episodes that are scored and the number of all. What it raises ends the
            evaluation.

    Returns:
        The `Result`, with the score of each episode. A score is NaN if the learner
        answers with NaN.

    Raises:
        ValueError: If the learner or the split cannot serve the episodes, if the
            prepared examples do not fit the learner's net, or if `scorer` belongs to
            another learner or comes with `steps` or `curve`.
    """
    start = time.perf_counter()
    scorer = _scorer(model, split, scorer, steps=steps, curve=curve)
    asked = episodes_for(
        scorer.learner,
        split,
        way=way,
        shot=shot,
        query=query,
        episodes=episodes,
        seed=seed,
        episodes_file=episodes_file,
    )
    metrics, drawn = _scores(scorer, asked, split, progress)
    metric = asked.targets_for(scorer.learner).metric
    return Result(
        metric=metric,
        scores=metrics[metric][-1],
        metrics={name: values[-1] for name, values in metrics.items()},
        seconds=time.perf_counter() - start,
        curve=metrics[metric] if scorer.curve_steps else None,
        curve_steps=scorer.curve_steps,
        drawn=drawn,
        **scorer.settings(),
        **asked.settings(split),
    )


def _scorer(
    model: Any,
    split: Part,
    given: Scorer | None,
    *,
    steps: int | None,
    curve: bool | Sequence[int],
) -> Scorer:
    """The scorer that was given, or a new one."""
    learner, prepare = as_learner(model), preparation_of(model, split)
    if given is None:
        return Scorer(learner, prepare, steps=steps, curve=curve)
    if given.learner is not learner:
        raise ValueError(
            "scorer must be of the learner that is scored. Received: a scorer of "
            f"another {type(given.learner).__name__}. Make one of this learner."
        )
    if steps is not None or curve:
        raise ValueError(
            "A scorer has its own steps and curve. Received: a scorer, with "
            f"steps={steps} and curve={curve}. Give these to Scorer."
        )
    return given


def _scores(
    scorer: Scorer, asked: Frozen, split: Part, progress: Progress | None
) -> tuple[dict[str, np.ndarray], str]:
    """The scores of all episodes by metric, `(rows, episodes)`, and a digest."""
    parts, drawn = [], Digest()
    with drawing_from(split):
        for x, y in in_short_calls(asked.stream, asked.episodes, progress):
            drawn.add(x, y)
            parts.append(scorer(x, y))
    metrics = {
        name: np.concatenate([part[name].numpy() for part in parts], axis=-1)
        for name in parts[0]
    }
    return metrics, drawn.text()
