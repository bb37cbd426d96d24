"""Floor 5: how good a learner is, with its uncertainty."""

from tfmeta.evaluation.baselines import baselines
from tfmeta.evaluation.evaluate import evaluate
from tfmeta.evaluation.result import Result

__all__ = ["Result", "baselines", "evaluate"]
