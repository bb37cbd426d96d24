"""What learners are made of: nets under normalisation, heads, rules of inner steps."""

from __future__ import annotations

from tfmeta.inner.body import Body, State
from tfmeta.inner.gradient_step import gradient_step
from tfmeta.inner.rules.adam import Adam
from tfmeta.inner.rules.base import Step, UpdateRule, made_rule
from tfmeta.inner.rules.chain import Chain, chain
from tfmeta.inner.rules.clip_norm import ClipNorm
from tfmeta.inner.rules.gradient_descent import GradientDescent
from tfmeta.inner.rules.learned_rates import LearnedRates
from tfmeta.inner.scan import scan

__all__ = [
    "Adam",
    "Body",
    "Chain",
    "ClipNorm",
    "GradientDescent",
    "LearnedRates",
    "State",
    "Step",
    "UpdateRule",
    "chain",
    "gradient_step",
    "made_rule",
    "scan",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
