"""The learners without meta-training that any meta-learner must beat."""

from __future__ import annotations

from typing import Any

from tfmeta.core import Labels, Targets
from tfmeta.core.renamed import renamed_arguments
from tfmeta.data import Part
from tfmeta.data.prepare.texts import is_text
from tfmeta.evaluation.texts.baselines import text_baselines
from tfmeta.learners import FromScratch, NearestNeighbour, as_learner

# Squared errors have steeper slopes than cross-entropies: larger steps diverge.
_RATES = {"labels": 0.1, "values": 0.01}


@renamed_arguments(metric="targets, such as tfmeta.Labels()")
def baselines(
    model: Any, *, targets: Targets | None = None, train: Part | None = None
) -> list[Any]:
    """The learners without meta-training to compare a learner with.

    Args:
        model: A `MetaModel` or a `Learner`, which is compared.
        targets: The kind of the tasks' `y`; None for the learner's own kind.
        train: The part for meta-training, from which the baselines of texts learn the
            words; None if examples are no texts.

    Returns:
        What `evaluate` takes. For labels, `NearestNeighbour` on raw inputs and
        `FromScratch` with the learner's net, if the learner has one; for labels of
        texts, class means and logistic regression on TF-IDF take the place of
        `NearestNeighbour`, see `tfmeta.evaluation.texts`. For values, `FromScratch`
        alone, and only if the learner answers with its net's outputs.
    """
    learner = as_learner(model)
    net, targets = learner.net, targets or learner.targets_for()
    labels = isinstance(targets, Labels)
    learners: list[Any] = [NearestNeighbour()] if labels else []
    if labels and train is not None and is_text(train.example_shape, train.dtype):
        learners = [*text_baselines(train)]
    if net is None or not (labels or learner.max_way is not None):
        return learners
    options: dict[str, Any] = {"inner_lr": _RATES[targets.name], "targets": targets}
    try:
        scratch = FromScratch(net, **options)
    except ValueError:  # "support" refuses Dropout and BatchNorm of stock Keras.
        scratch = FromScratch(net, normalisation="running", **options)
    return [*learners, scratch]
