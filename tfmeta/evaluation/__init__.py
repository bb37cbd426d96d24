"""Scores of learners on episodes, with their uncertainty; comparisons, calibration."""

from __future__ import annotations

from tfmeta.evaluation.baselines import baselines
from tfmeta.evaluation.calibration import calibration, fit_temperature, query_logits
from tfmeta.evaluation.compare import Comparison, compare
from tfmeta.evaluation.evaluate import evaluate
from tfmeta.evaluation.over_seeds import SeedSummary, over_seeds
from tfmeta.evaluation.pictures.regression_picture import regression_picture
from tfmeta.evaluation.rejection import Rejection, choose_threshold
from tfmeta.evaluation.reliability import (
    Calibration,
    LabelledLogits,
    best_temperature,
    reliability,
)
from tfmeta.evaluation.result import Result, read_result

__all__ = [
    "Calibration",
    "Comparison",
    "LabelledLogits",
    "Rejection",
    "Result",
    "SeedSummary",
    "baselines",
    "best_temperature",
    "calibration",
    "choose_threshold",
    "compare",
    "evaluate",
    "fit_temperature",
    "over_seeds",
    "query_logits",
    "read_result",
    "regression_picture",
    "reliability",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
