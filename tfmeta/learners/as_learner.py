"""The learner that a model has."""

from __future__ import annotations

from typing import Any

from tfmeta.core.problems import kind_of
from tfmeta.learners.base import Learner


def as_learner(model: Any) -> Learner:
    """The learner of a `MetaModel`, or the learner itself.

    Args:
        model: A `MetaModel` or a `Learner`.

    Returns:
        The learner.

    Raises:
        ValueError: If `model` is neither.
    """
    learner = getattr(model, "learner", model)
    if not isinstance(learner, Learner):
        raise ValueError(
            "Needs a tfmeta.MetaModel or a tfmeta.learners.Learner. "
            f"Received: {kind_of(model)}."
        )
    return learner
