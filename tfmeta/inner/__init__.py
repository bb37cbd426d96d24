"""Floor 3: how a learner's parameters move inside a task."""

from tfmeta.inner.base import UpdateRule
from tfmeta.inner.descent import descend
from tfmeta.inner.gradient_descent import GradientDescent
from tfmeta.inner.unroll import unroll

__all__ = ["GradientDescent", "UpdateRule", "descend", "unroll"]
