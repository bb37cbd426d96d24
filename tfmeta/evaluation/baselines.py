"""What any meta-learner must beat."""

from __future__ import annotations

from typing import Any

from tfmeta.learners import FromScratch, Learner, NearestNeighbour, as_learner


def baselines(model: Any) -> list[Learner]:
    """The learners without meta-training to print beside a result.

    Args:
        model: A `MetaModel` or a `Learner`, the one compared.

    Returns:
        `NearestNeighbour` on raw inputs, and the same net `FromScratch` where the
        learner has one.
    """
    net = as_learner(model).net
    if net is None:
        return [NearestNeighbour()]
    try:
        scratch = FromScratch(net)
    except ValueError:  # Dropout or foreign statistics: not by the support set's own.
        scratch = FromScratch(net, normalisation="running")
    return [NearestNeighbour(), scratch]
