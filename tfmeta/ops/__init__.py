"""Floor 1: distances, class statistics, task losses; pure functions."""

from tfmeta.ops.classes import (
    class_means,
    count_ways,
    joined_members,
    present_classes,
)
from tfmeta.ops.distances import cosine_similarity, squared_euclidean
from tfmeta.ops.losses import correct, task_loss
from tfmeta.ops.scores import task_score

__all__ = [
    "class_means",
    "correct",
    "cosine_similarity",
    "count_ways",
    "joined_members",
    "present_classes",
    "squared_euclidean",
    "task_loss",
    "task_score",
]
