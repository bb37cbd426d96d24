"""Learns one task from plain arrays, of classes or of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmeta.core import Labels, Targets, Values
from tfmeta.learners import Learner
from tfmeta.serving.adapted_classifier import AdaptedClassifier
from tfmeta.serving.adapted_regressor import AdaptedRegressor


def adapted_task(
    learner: Learner, support_x: Any, support_y: Any, **options: Any
) -> AdaptedClassifier | AdaptedRegressor:
    """Adapts a learner to one task.

    If the learner's `targets` are None, the first `support_y` decides them: floats are
    values, all others are labels.

    Args:
        learner: The learner.
        support_x: Raw inputs, `(examples, ...)`, or a dict or tuple of such arrays.
        support_y: `(examples,)` names or whole numbers of classes; or values
            `(examples, ...)`.
        **options: `prepare` and `far_outside`, see `AdaptedTask`.

    Returns:
        An `AdaptedClassifier` or an `AdaptedRegressor`.

    Raises:
        ValueError: If the arrays do not fit each other or the learner. Then the
            learner's `targets` stay as they were.
    """
    targets = learner.targets or _told_by(support_y)
    kind = AdaptedClassifier if isinstance(targets, Labels) else AdaptedRegressor
    before, learner.targets = learner.targets, targets
    try:
        return kind(learner, support_x, support_y, **options)
    except Exception:
        learner.targets = before
        raise


def _told_by(y: Any) -> Targets:
    """What an array or a list holds: values if they are floats, else labels."""
    try:
        return Values() if np.asarray(y).dtype.kind == "f" else Labels()
    except ValueError:  # No array at all: whoever reads it says so.
        return Labels()
