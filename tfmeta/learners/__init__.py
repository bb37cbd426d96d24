"""Floor 4: the methods, one file each."""

from tfmeta.learners.base import Learner, as_learner
from tfmeta.learners.from_scratch import FromScratch
from tfmeta.learners.maml import MAML
from tfmeta.learners.nearest_neighbour import NearestNeighbour
from tfmeta.learners.protonet import ProtoNet

__all__ = [
    "MAML",
    "FromScratch",
    "Learner",
    "NearestNeighbour",
    "ProtoNet",
    "as_learner",
]
