"""What any meta-learner must beat."""

from __future__ import annotations

from typing import Any

from tfmeta.learners import FromScratch, Learner, NearestNeighbour, as_learner

# Squared errors have steeper slopes than cross-entropies: larger steps diverge.
_RATES = {"accuracy": 0.1, "mse": 0.01}


def baselines(model: Any, *, metric: str = "accuracy") -> list[Learner]:
    """The learners without meta-training to print beside a result.

    Args:
        model: A `MetaModel` or a `Learner`, the one compared.
        metric: What they shall be scored by: "accuracy", or "mse" for float targets.

    Returns:
        `NearestNeighbour` on raw inputs, for labels; and the same net `FromScratch`
        where the learner has one that fits: for targets it must end in a head.
    """
    net = as_learner(model).net
    learners: list[Learner] = [NearestNeighbour()] if metric == "accuracy" else []
    if net is None:
        return learners
    rate = _RATES[metric]
    try:
        scratch = FromScratch(net, learning_rate=rate)
    except ValueError:  # Dropout or foreign statistics: not by the support set's own.
        scratch = FromScratch(net, learning_rate=rate, normalisation="running")
    if metric == "accuracy" or scratch.max_way is not None:
        learners.append(scratch)
    return learners
