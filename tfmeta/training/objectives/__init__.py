"""What a net learns in pretraining, without episodes."""

from __future__ import annotations

from tfmeta.training.objectives.classify import Classify
from tfmeta.training.objectives.contrast import Contrast
from tfmeta.training.objectives.objective import Objective
from tfmeta.training.objectives.reconstruct import Reconstruct

__all__ = ["Classify", "Contrast", "Objective", "Reconstruct"]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
