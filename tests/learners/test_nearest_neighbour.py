"""What NearestNeighbour alone does."""

from __future__ import annotations

import references
from learner_cases import IMAGE, Case
from learner_tasks import check, check_extending

from tfmeta.learners import NearestNeighbour


def test_images_are_compared_by_all_their_numbers() -> None:
    case = Case("images", NearestNeighbour, references.nearest_neighbour(), shape=IMAGE)
    check(case)


def test_extending_keeps_all_examples() -> None:
    check_extending(Case("extended", NearestNeighbour, references.nearest_neighbour()))
