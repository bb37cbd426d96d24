"""What ProtoNet alone does."""

from __future__ import annotations

import pytest
import references
from learner_cases import Case
from learner_nets import normed, plain
from learner_tasks import check, check_extending
from references import nets

from tfmeta.learners import ProtoNet

COSINE = [
    Case(
        "default",
        lambda: ProtoNet(normed(), distance="cosine"),
        references.protonet(nets.normed, distance="cosine"),
    ),
    Case(
        "support",
        lambda: ProtoNet(
            normed(), distance="cosine", scale=0.3, normalisation="support"
        ),
        references.protonet(nets.normed, distance="cosine", scale=0.3, mode="support"),
    ),
]


@pytest.mark.parametrize("case", COSINE, ids=lambda case: case.name)
@pytest.mark.parametrize("training", [False, True])
def test_cosines_are_the_references(case: Case, training: bool) -> None:
    check(case, training=training)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize(("make", "net"), [(normed, nets.normed), (plain, nets.plain)])
def test_extending_averages_all_examples(make, net, distance: str) -> None:
    case = Case(
        "extended",
        lambda: ProtoNet(make(), distance=distance),
        references.protonet(net, distance=distance),
    )
    check_extending(case)
