"""Adapted tasks, checkpoints, and learners that are rebuilt from them."""

from __future__ import annotations

from tfmeta.serving.adapted_classifier import AdaptedClassifier
from tfmeta.serving.adapted_regressor import AdaptedRegressor
from tfmeta.serving.adapted_task import adapted_task
from tfmeta.serving.base import AdaptedTask
from tfmeta.serving.checkpoint import load_checkpoint, save_checkpoint
from tfmeta.serving.far_outside import FarOutside
from tfmeta.serving.stored_learner import stored_learner

__all__ = [
    "AdaptedClassifier",
    "AdaptedRegressor",
    "adapted_task",
    "AdaptedTask",
    "FarOutside",
    "load_checkpoint",
    "save_checkpoint",
    "stored_learner",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
