"""The learners without meta-training that any meta-learner must beat."""

from __future__ import annotations

from typing import Any

from tfmeta.core import Labels, Targets
from tfmeta.core.renamed import renamed_arguments
from tfmeta.learners import FromScratch, Learner, NearestNeighbour, as_learner

# Squared errors have steeper slopes than cross-entropies: larger steps diverge.
_RATES = {"labels": 0.1, "values": 0.01}


@renamed_arguments(metric="targets, such as tfmeta.Labels()")
def baselines(model: Any, *, targets: Targets | None = None) -> list[Learner]:
    """The learners without meta-training to compare a learner with.

    Args:
        model: A `MetaModel` or a `Learner`, which is compared.
        targets: The kind of the tasks' `y`; None for the learner's own kind.

    Returns:
        For labels, `NearestNeighbour` on raw inputs and `FromScratch` with the
        learner's net, if the learner has one. For values, `FromScratch` alone, and only
        if the learner answers with its net's outputs.
    """
    learner = as_learner(model)
    net, targets = learner.net, targets or learner.targets_for()
    labels = isinstance(targets, Labels)
    learners: list[Learner] = [NearestNeighbour()] if labels else []
    if net is None or not (labels or learner.max_way is not None):
        return learners
    options: dict[str, Any] = {"inner_lr": _RATES[targets.name], "targets": targets}
    try:
        scratch = FromScratch(net, **options)
    except ValueError:  # "support" refuses Dropout and BatchNorm of stock Keras.
        scratch = FromScratch(net, normalisation="running", **options)
    return [*learners, scratch]
