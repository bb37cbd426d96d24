"""Whether a learner's probabilities can be believed on frozen episodes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tfmeta.data import Part
from tfmeta.evaluation.frozen import judged_on
from tfmeta.evaluation.reliability import (
    Answers,
    Calibration,
    best_temperature,
    reliability,
)
from tfmeta.evaluation.scorer import Scorer
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
        split: Which classes, such as `data.test`.
        temperature: What logits are divided by; see `fit_temperature`.
        bins: Bins of confidence, of equal width.
        **options: Which episodes, as for `answers`: `way`, `shot`, ...

    Returns:
        The `Calibration`: `ece`, `nll`, `table`.

    Raises:
        ValueError: If the episodes have float targets, or cannot be served.
    """
    found = answers(model, split, **options)
    return reliability(found, temperature=temperature, bins=bins)


def fit_temperature(model: Any, split: Part, **options: Any) -> float:
    """The one number that logits are best divided by, for the likeliest true classes.

    It changes no answer, only how sure it is. It holds for the way, shot and steps it
    was fitted with.

    Args:
        model: A `MetaModel` or a `Learner` that classifies.
        split: Classes it was not trained on and will not be judged on: `data.val`.
        **options: Which episodes, as for `answers`: `way`, `shot`, ...

    Returns:
        The temperature: above 1 for a learner that is too sure.

    Raises:
        ValueError: If the episodes have float targets, or cannot be served.
    """
    return best_temperature(answers(model, split, **options))


def answers(
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
) -> Answers:
    """A learner's answers to every query of frozen episodes, those of `evaluate`.

    Args:
        model: A `MetaModel` or a `Learner` that classifies.
        split: Which classes.
        way: Classes in an episode.
        shot: Support examples per class.
        query: Queries per class; None for all that are left.
        episodes: How many.
        seed: Which.
        steps: Inner steps; None for the learner's own number.
        episodes_file: As for `evaluate`.

    Returns:
        The logits and the true classes, episode after episode.

    Raises:
        ValueError: If the episodes have float targets, or cannot be served.
    """
    learner = as_learner(model)
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
    if asked.metric != "accuracy":
        raise ValueError(
            "Calibration is of the probabilities of classes, but these episodes have "
            "float targets. Use a source with labels."
        )
    scorer = Scorer(learner, steps=steps)
    logits, labels = [], []
    for x, y in asked.stream:
        real = np.ones(y.shape, bool)
        if "query_count" in x:
            real = np.arange(y.shape[1]) < x["query_count"].numpy()[:, None]
        logits.append(scorer.answers(x).numpy()[real])
        labels.append(y.numpy()[real])
    return Answers(np.concatenate(logits), np.concatenate(labels))
