"""What MAML alone does."""

from __future__ import annotations

import pytest
import references
from learner_cases import Case
from learner_nets import MAX_WAY, normed, twice_normed
from learner_tasks import check
from references import nets, rules

from tfmeta.inner import Adam, ClipNorm, GradientDescent, LearnedRates, chain
from tfmeta.learners import MAML

VARIANTS = [
    Case(
        "head_of_zeros",
        lambda: MAML(normed(), inner_steps=3, head="zeros"),
        references.maml(nets.normed, steps=3, head="zeros"),
    ),
    Case(
        "prototypes_of_default_rate",
        lambda: MAML(normed()),
        references.maml(nets.normed, head="prototypes"),
    ),
    Case(
        "prototypes_running",
        lambda: MAML(normed(), inner_lr=0.1, normalisation="running"),
        references.maml(nets.normed, rate=0.1, head="prototypes", mode="running"),
    ),
    Case(
        "more_steps_when_served",
        lambda: MAML(normed(MAX_WAY), inner_lr=0.1, eval_steps=4),
        references.maml(nets.normed, rate=0.1, served=4),
    ),
    Case(
        "no_steps_when_served",
        lambda: MAML(normed(MAX_WAY), eval_steps=0),
        references.maml(nets.normed, served=0),
    ),
    Case(
        "first_order",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, inner_lr=0.1, first_order=True),
        references.maml(nets.normed, steps=2, rate=0.1),
    ),
    Case(
        "first_rates_of_meta_sgd",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, rule=LearnedRates),
        references.maml(nets.normed, steps=2, rate=0.01),
    ),
    Case(
        "given_rates_of_meta_sgd",
        lambda: MAML(normed(MAX_WAY), rule=LearnedRates(learning_rate=0.2)),
        references.maml(nets.normed, rate=0.2),
    ),
    Case(
        "adam",
        lambda: MAML(normed(MAX_WAY), inner_steps=4, rule=Adam),
        references.maml(nets.normed, steps=4, rule=rules.adam()),
    ),
    Case(
        "adam_of_other_moments",
        lambda: MAML(
            normed(MAX_WAY),
            inner_steps=4,
            rule=Adam(learning_rate=0.1, beta_1=0.5, beta_2=0.7, epsilon=0.1),
        ),
        references.maml(
            nets.normed,
            steps=4,
            rule=rules.adam(0.1, beta_1=0.5, beta_2=0.7, epsilon=0.1),
        ),
    ),
    Case(
        "clipped_where_long",
        lambda: MAML(
            normed(MAX_WAY),
            inner_steps=3,
            # The first gradient is longer than this, the third is shorter.
            rule=chain(ClipNorm(norm=1.5), GradientDescent(learning_rate=0.3)),
        ),
        references.maml(
            nets.normed, steps=3, rule=rules.clipped(1.5, rules.gradient_descent(0.3))
        ),
    ),
    Case(
        "first_block_and_head",
        lambda: MAML(twice_normed(), inner_steps=2, adapt_only=["first", "head"]),
        references.maml(nets.twice_normed, steps=2, adapts=(0, 6, 7)),
    ),
    Case(
        "head_of_a_net_by_task",
        lambda: MAML(
            twice_normed(), inner_steps=2, adapt_only="head", normalisation="task"
        ),
        references.maml(nets.twice_normed, steps=2, adapts=(6, 7), mode="task"),
    ),
]


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.name)
@pytest.mark.parametrize("training", [False, True])
def test_variants_are_the_references(case: Case, training: bool) -> None:
    check(case, training=training)
