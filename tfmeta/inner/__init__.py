"""Floor 3: how a learner's parameters move inside a task."""

from tfmeta.inner.adam import Adam
from tfmeta.inner.base import UpdateRule
from tfmeta.inner.descent import descend
from tfmeta.inner.gradient_descent import GradientDescent
from tfmeta.inner.learned_rates import LearnedRates
from tfmeta.inner.unroll import unroll

__all__ = [
    "Adam",
    "GradientDescent",
    "LearnedRates",
    "UpdateRule",
    "descend",
    "unroll",
]
