"""Measures whether a learner's probabilities can be believed, on frozen episodes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tfmeta.core import Labels
from tfmeta.data import Part
from tfmeta.evaluation.frozen import episodes_for
from tfmeta.evaluation.prepared import preparation_of
from tfmeta.evaluation.reliability import (
    Calibration,
    LabelledLogits,
    best_temperature,
    reliability,
)
from tfmeta.evaluation.scorer import Scorer
from tfmeta.evaluation.short_calls import Progress, in_short_calls
from tfmeta.learners import as_learner


def calibration(
    model: Any,
    split: Part,
    *,
    temperature: float = 1.0,
    bins: int = 15,
    **options: Any,
) -> Calibration:
    """Measures how far confidence is from accuracy.

    Args:
        model: A `MetaModel` or a `Learner` that classifies.
        split: The part to draw from, such as `data.test`.
        temperature: The number that logits are divided by; see `fit_temperature`.
        bins: The number of bins of confidence, which have equal widths.
        **options: The options of `query_logits`, which choose the episodes: `way`,
            `shot`, ...

    Returns:
        The `Calibration`, with `ece`, `nll` and `table`.

    Raises:
        ValueError: If the episodes have float targets, or cannot be served.
    """
    found = query_logits(model, split, **options)
    return reliability(found, temperature=temperature, bins=bins)


def fit_temperature(model: Any, split: Part, **options: Any) -> float:
    """Finds the temperature that makes the true classes likeliest.

    Logits are divided by the temperature. This changes no answer, only how sure an
    answer is. The temperature is valid for the way, shot and steps of the episodes.

    Args:
        model: A `MetaModel` or a `Learner` that classifies.
        split: A part that is used neither to train nor to judge the learner:
            `data.val`.
        **options: The options of `query_logits`, which choose the episodes: `way`,
            `shot`, ...

    Returns:
        The temperature, which is above 1 for a learner that is too sure.

    Raises:
        ValueError: If the episodes have float targets, or cannot be served.
    """
    return best_temperature(query_logits(model, split, **options))


def query_logits(
    model: Any,
    split: Part,
    *,
    way: int | None = None,
    shot: int | None = None,
    query: int | None = 15,
    episodes: int = 600,
    seed: int = 1,
    steps: int | None = None,
    episodes_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> LabelledLogits:
    """A learner's logits for all queries of the episodes that `evaluate` scores.

    Args:
        model: A `MetaModel` or a `Learner` that classifies.
        split: The part to draw from.
        way: The number of classes in an episode.
        shot: The number of support examples per class.
        query: The number of queries per class; None for all that are left.
        episodes: The number of episodes.
        seed: The seed of the episodes; another seed draws other episodes.
        steps: The number of inner steps; None for the learner's own number.
        episodes_file: A file of episodes, as for `evaluate`.
        progress: A function to call with the number of episodes done, as for
            `evaluate`.

    Returns:
        The logits and the true labels of all queries, episode after episode.

    Raises:
        ValueError: If the episodes have float targets, or cannot be served.
    """
    learner = as_learner(model)
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
    if not isinstance(asked.targets_for(learner), Labels):
        raise ValueError(
            "Calibration is of the probabilities of classes, but these episodes have "
            "float targets. Use a source with labels."
        )
    scorer = Scorer(learner, preparation_of(model, split), steps=steps)
    logits, labels = [], []
    for x, y in in_short_calls(asked.stream, asked.episodes, progress):
        real = np.ones(y.shape, bool)
        if "query_count" in x:
            real = np.arange(y.shape[1]) < x["query_count"].numpy()[:, None]
        logits.append(scorer.predictions(x).numpy()[real])
        labels.append(y.numpy()[real])
    return LabelledLogits(np.concatenate(logits), np.concatenate(labels))
