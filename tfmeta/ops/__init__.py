"""Distances and class statistics, for methods of classes; pure functions."""

from tfmeta.ops.classes import (
    class_counts,
    class_logsumexp,
    class_maxima,
    class_means,
    class_sums,
    count_ways,
    example_shares,
    masked,
    present_classes,
)
from tfmeta.ops.distances import cosine_similarity, squared_euclidean

__all__ = [
    "class_counts",
    "class_logsumexp",
    "class_maxima",
    "class_means",
    "class_sums",
    "cosine_similarity",
    "count_ways",
    "example_shares",
    "masked",
    "present_classes",
    "squared_euclidean",
]
