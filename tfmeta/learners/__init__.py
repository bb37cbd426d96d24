"""The methods, which learn from a support set and answer queries; one file each."""

from __future__ import annotations

from tfmeta.core import Options
from tfmeta.learners.as_learner import as_learner
from tfmeta.learners.base import Learner
from tfmeta.learners.fine_tune import FineTune
from tfmeta.learners.from_scratch import FromScratch
from tfmeta.learners.gradient_learner import GradientLearner
from tfmeta.learners.linear_probe import LinearProbe
from tfmeta.learners.maml import MAML
from tfmeta.learners.matching_net import MatchingNet
from tfmeta.learners.nearest_neighbour import NearestNeighbour
from tfmeta.learners.protonet import ProtoNet
from tfmeta.learners.reptile import Reptile
from tfmeta.learners.supervised import Supervised

__all__ = [
    "MAML",
    "FineTune",
    "FromScratch",
    "GradientLearner",
    "Learner",
    "LinearProbe",
    "MatchingNet",
    "NearestNeighbour",
    "Options",
    "ProtoNet",
    "Reptile",
    "Supervised",
    "as_learner",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
