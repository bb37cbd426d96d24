"""The preparation that a model or a bare learner is scored with."""

from __future__ import annotations

from typing import Any

from tfmeta.data import Part
from tfmeta.data.prepare.preparation import Preparation, as_preparation
from tfmeta.learners import as_learner


def preparation_of(model: Any, part: Part) -> Preparation:
    """How the examples of a part become what a model takes.

    Args:
        model: A `MetaModel`, which brings its own preparation, or a `Learner`, which is
            given the part's.
        part: The part that episodes are drawn from.

    Returns:
        The preparation.
    """
    own = getattr(model, "prepare", None)
    given = own if isinstance(own, Preparation) else part.prepare
    return as_preparation(given, as_learner(model).inputs)
