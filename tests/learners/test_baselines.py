"""What FineTune, LinearProbe and FromScratch alone do."""

from __future__ import annotations

import numpy as np
import pytest
import references
from learner_cases import Case
from learner_nets import MAX_WAY, normed, own_class, plain
from learner_tasks import check
from references import nets, rules

from tfmeta.inner import Adam, GradientDescent
from tfmeta.learners import FineTune, FromScratch, LinearProbe

VARIANTS = [
    Case(
        "fine_tune_keeps_a_head",
        lambda: FineTune(normed(MAX_WAY), eval_steps=4, inner_lr=0.3),
        references.fine_tune(nets.normed, steps=4, rate=0.3, head="net"),
    ),
    Case(
        "fine_tune_by_adam",
        lambda: FineTune(plain(), eval_steps=4, rule=Adam, inner_lr=0.05),
        references.fine_tune(nets.plain, steps=4, rule=rules.adam(0.05)),
    ),
    Case(
        "linear_probe_of_another_rate",
        lambda: LinearProbe(normed(), eval_steps=7, inner_lr=0.3),
        references.linear_probe(nets.normed, steps=7, rate=0.3),
    ),
    Case(
        "linear_probe_by_descent",
        lambda: LinearProbe(plain(), eval_steps=3, rule=GradientDescent, inner_lr=0.5),
        references.linear_probe(nets.plain, steps=3, rule=rules.gradient_descent(0.5)),
    ),
    Case(
        "from_scratch_of_a_subclassed_net",
        lambda: FromScratch(own_class(), eval_steps=3, head="net"),
        references.from_scratch(nets.own_class, steps=3),
    ),
]


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.name)
def test_variants_are_the_references(case: Case) -> None:
    check(case)


def test_from_scratch_knows_nothing_of_the_nets_weights() -> None:
    net = normed(MAX_WAY)
    one, same, other = (FromScratch(net, seed=draw) for draw in (0, 0, 1))
    weights = [learner.net.get_weights() for learner in (one, same, other)]
    np.testing.assert_array_equal(weights[0][0], weights[1][0])
    for kernel in (weights[2][0], net.get_weights()[0]):
        assert abs(weights[0][0] - kernel).max() > 0.1


@pytest.mark.parametrize("learner", [FineTune, FromScratch])
def test_nothing_is_carried_where_no_task_trains(learner) -> None:
    with pytest.raises(ValueError, match=f"Received: one for {learner.__name__}"):
        learner(plain(MAX_WAY), rule=Adam(carried=True))
