"""What MatchingNet alone does."""

from __future__ import annotations

import pytest
import references
from learner_cases import Case
from learner_nets import normed
from learner_tasks import check, check_extending
from references import nets

from tfmeta.learners import MatchingNet

VARIANTS = [
    Case(
        "paper",
        lambda: MatchingNet(normed(), scale=1.0),
        references.matching_net(nets.normed, scale=1.0),
    ),
    Case(
        "support",
        lambda: MatchingNet(normed(), normalisation="support"),
        references.matching_net(nets.normed, mode="support"),
    ),
    Case(
        "full_context",
        lambda: MatchingNet(normed(), full_context=True, seed=3),
        references.matching_net(nets.normed, full_context=True),
    ),
    Case(
        "one_read",
        lambda: MatchingNet(normed(), full_context=True, reads=1),
        references.matching_net(nets.normed, full_context=True, reads=1),
    ),
]


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.name)
@pytest.mark.parametrize("training", [False, True])
def test_variants_are_the_references(case: Case, training: bool) -> None:
    check(case, training=training)


def test_extending_attends_to_all_examples() -> None:
    make, reference = (
        lambda: MatchingNet(normed()),
        references.matching_net(nets.normed),
    )
    check_extending(Case("extended", make, reference))
