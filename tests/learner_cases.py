"""The table every learner joins: one row a variant, what it promises in its fields.

A row buys the conformance suite in `tests/learners/test_conformance.py`, the comparison
with its reference in `tests/learners/test_reference.py`, and its export in
`tests/export/test_save_table.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import references
from learner_nets import (
    FEATURES,
    IMAGE,
    MAX_WAY,
    drawn,
    dropped,
    images,
    normed,
    own_class,
    plain,
    twice_normed,
    two_inputs,
)
from learner_tasks import LABELS, batch, episode
from references import nets, rules

from tfmeta.inner import Adam, ClipNorm, LearnedRates, chain
from tfmeta.learners import (
    MAML,
    FineTune,
    FromScratch,
    Learner,
    LinearProbe,
    MatchingNet,
    NearestNeighbour,
    ProtoNet,
    Reptile,
    Supervised,
)

__all__ = [
    "CASES",
    "FEATURES",
    "IMAGE",
    "LABELS",
    "MAX_WAY",
    "Case",
    "batch",
    "drawn",
    "dropped",
    "episode",
    "normed",
    "plain",
]


@dataclass(frozen=True)
class Case:
    """A variant of a learner and what it promises.

    Attributes:
        name: Of the row.
        make: Makes it, with the same weights each time.
        reference: The same method in NumPy, see `tests/references`; its numbers are the
            paper's where `make` leaves the learner's own.
        gradient: Its meta-gradient: "exact", "stopped" (inner gradients count as
            constants), "displacement" (weights before minus after) or "none" (it has
            nothing to train).
        any_way: Whether it serves any number of classes; else `MAX_WAY`.
        permutes: Whether renaming the classes renames the answers and no more.
        orderless: Whether the order of the support set is of no effect.
        targets: Whether it learns float targets in place of labels.
        shape: Of one example.
        pair: Whether an example is a dict of two arrays.
        learns: Whether the suite has it learn the blobs.
        compiles: Whether the suite compiles it with XLA, which takes long.
        adapts: Whether its answers depend on the support set.
    """

    name: str
    make: Callable[[], Learner]
    reference: references.Reference
    gradient: str = "exact"
    any_way: bool = False
    permutes: bool = False
    orderless: bool = True
    targets: bool = False
    shape: tuple[int, ...] = FEATURES
    pair: bool = False
    learns: bool = True
    compiles: bool = True
    adapts: bool = True


def rated(learner: MAML, seed: int = 0) -> MAML:
    """The learner with drawn rates in its rule, no two of them alike."""
    draws = np.random.default_rng(seed)
    for rate in learner.rule.trainable_variables:
        rate.assign(rate.numpy() * draws.uniform(0.5, 1.5, rate.shape))
    return learner


def later(learner: Reptile, seed: int = 0) -> Reptile:
    """The learner as if tasks had been trained on: its rule carries drawn moments."""
    draws = np.random.default_rng(seed)
    *moments, weight = learner.rule.statistics
    for moment in moments:
        moment.assign(draws.uniform(0.001, 0.02, moment.shape))
    weight.assign(0.6)
    return learner


CASES = [
    Case("maml", lambda: MAML(normed(MAX_WAY)), references.maml(nets.normed)),
    Case(
        "maml_images",
        lambda: MAML(images(MAX_WAY), inner_steps=1),
        references.maml(nets.conv4),
        shape=IMAGE,
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_7_steps",
        lambda: MAML(normed(MAX_WAY), inner_steps=7, inner_lr=0.1),
        references.maml(nets.normed, steps=7, rate=0.1),
    ),
    Case(
        "maml_task",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, normalisation="task"),
        references.maml(nets.normed, steps=2, mode="task"),
        compiles=False,
    ),
    Case(
        "maml_running",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, normalisation="running"),
        references.maml(nets.normed, steps=2, mode="running"),
    ),
    Case(
        "maml_plain",
        lambda: MAML(plain(MAX_WAY), inner_steps=2, inner_lr=0.1),
        references.maml(nets.plain, steps=2, rate=0.1),
        compiles=False,
        learns=False,
    ),
    Case(
        "maml_dropout",
        lambda: MAML(dropped(), inner_steps=1, inner_lr=0.4),
        references.maml(nets.dropped),
        compiles=False,
    ),
    Case(
        "maml_prototypes",
        lambda: MAML(normed(), inner_steps=2, inner_lr=0.05),
        references.maml(nets.normed, steps=2, rate=0.05, head="prototypes"),
        any_way=True,
        permutes=True,
    ),
    Case(
        "maml_prototypes_7_steps",
        lambda: MAML(normed(), inner_steps=7, inner_lr=0.05),
        references.maml(nets.normed, steps=7, rate=0.05, head="prototypes"),
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "fomaml",
        lambda: MAML(normed(MAX_WAY), inner_steps=3, first_order=True),
        references.maml(nets.normed, steps=3),
        gradient="stopped",
    ),
    Case(
        "fomaml_7_steps",
        lambda: MAML(normed(MAX_WAY), inner_steps=7, inner_lr=0.1, first_order=True),
        references.maml(nets.normed, steps=7, rate=0.1),
        gradient="stopped",
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_regression",
        lambda: MAML(plain(1), inner_steps=2, inner_lr=0.05),
        references.maml(nets.plain, steps=2, rate=0.05),
        targets=True,
        learns=False,
    ),
    Case(
        "maml_regression_7_steps",
        lambda: MAML(plain(1), inner_steps=7, inner_lr=0.05),
        references.maml(nets.plain, steps=7, rate=0.05),
        targets=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "anil",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, adapt_only="head"),
        references.maml(nets.normed, steps=2, adapts=(3, 4)),
    ),
    Case(
        "anil_7_steps",
        lambda: MAML(normed(MAX_WAY), inner_steps=7, adapt_only=["head"]),
        references.maml(nets.normed, steps=7, adapts=(3, 4)),
        learns=False,
        compiles=False,
    ),
    Case(
        "meta_sgd",
        lambda: rated(MAML(normed(MAX_WAY), rule=LearnedRates(learning_rate=0.3))),
        references.maml(nets.normed, rule=rules.learned_rates()),
    ),
    Case(
        "meta_sgd_7_steps",
        lambda: rated(
            MAML(normed(MAX_WAY), inner_steps=7, rule=LearnedRates(learning_rate=0.1))
        ),
        references.maml(nets.normed, steps=7, rule=rules.learned_rates()),
        learns=False,
        compiles=False,
    ),
    Case(
        "meta_sgd_prototypes",
        lambda: rated(MAML(normed(), rule=LearnedRates(learning_rate=0.1))),
        references.maml(nets.normed, rule=rules.learned_rates(), head="prototypes"),
        any_way=True,
        permutes=True,
        compiles=False,
    ),
    Case(
        "meta_sgd_clipped",
        lambda: rated(
            MAML(
                normed(MAX_WAY),
                inner_steps=2,
                rule=chain(ClipNorm(norm=0.5), LearnedRates(learning_rate=0.3)),
            )
        ),
        references.maml(
            nets.normed, steps=2, rule=rules.clipped(0.5, rules.learned_rates())
        ),
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_first_layer",
        lambda: MAML(twice_normed(), inner_steps=2, adapt_only=["second", "head/bias"]),
        references.maml(nets.twice_normed, steps=2, adapts=(3, 7)),
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_two_inputs",
        lambda: MAML(two_inputs(), inner_steps=2, inner_lr=0.2),
        references.maml(nets.two_inputs, steps=2, rate=0.2),
        pair=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_own_class",
        lambda: MAML(own_class(), inner_steps=2, inner_lr=0.2, head="net"),
        references.maml(nets.own_class, steps=2, rate=0.2),
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_adam",
        lambda: MAML(
            normed(MAX_WAY), inner_steps=2, rule=Adam(learning_rate=0.05, epsilon=1e-2)
        ),
        references.maml(nets.normed, steps=2, rule=rules.adam(0.05, epsilon=1e-2)),
        learns=False,
        compiles=False,
    ),
    Case(
        "reptile",
        lambda: Reptile(
            normed(MAX_WAY),
            inner_steps=5,
            inner_lr=0.02,
            eval_steps=None,
            inner_batch=6,
        ),
        references.reptile(nets.normed, rate=0.02, served=None, batch=6),
        gradient="displacement",
        orderless=False,
    ),
    Case(
        "reptile_later",
        lambda: later(
            Reptile(
                normed(MAX_WAY), inner_batch=6, eval_steps=3, normalisation="running"
            )
        ),
        references.reptile(nets.normed, served=3, batch=6, mode="running"),
        gradient="displacement",
        orderless=False,
        learns=False,
    ),
    Case(
        "reptile_regression",
        lambda: Reptile(
            plain(1), inner_steps=7, inner_lr=0.02, eval_steps=None, inner_batch=3
        ),
        references.reptile(nets.plain, steps=7, rate=0.02, served=None, batch=3),
        gradient="displacement",
        orderless=False,
        targets=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "protonet",
        lambda: ProtoNet(normed()),
        references.protonet(nets.normed),
        any_way=True,
        permutes=True,
    ),
    Case(
        "protonet_support",
        lambda: ProtoNet(normed(), normalisation="support"),
        references.protonet(nets.normed, mode="support"),
        any_way=True,
        permutes=True,
    ),
    Case(
        "protonet_task",
        lambda: ProtoNet(normed(), normalisation="task"),
        references.protonet(nets.normed, mode="task"),
        any_way=True,
        permutes=True,
        compiles=False,
    ),
    Case(
        "protonet_cosine",
        lambda: ProtoNet(images(), distance="cosine", scale=5.0),
        references.protonet(nets.conv4, distance="cosine", scale=5.0),
        any_way=True,
        permutes=True,
        shape=IMAGE,
        learns=False,
    ),
    Case(
        "matching_net",
        lambda: MatchingNet(normed()),
        references.matching_net(nets.normed),
        any_way=True,
        permutes=True,
    ),
    Case(
        "matching_net_full_context",
        lambda: MatchingNet(normed(), scale=4.0, full_context=True, reads=2),
        references.matching_net(nets.normed, scale=4.0, full_context=True, reads=2),
        any_way=True,
        permutes=True,
        orderless=False,
        learns=False,
        compiles=False,
    ),
    Case(
        "fine_tune",
        lambda: FineTune(normed()),
        references.fine_tune(nets.normed),
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "fine_tune_regression",
        lambda: FineTune(plain(1), eval_steps=6, inner_lr=0.05),
        references.fine_tune(nets.plain, steps=6, rate=0.05, head="net"),
        gradient="none",
        targets=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "linear_probe",
        lambda: LinearProbe(normed()),
        references.linear_probe(nets.normed),
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "supervised",
        lambda: Supervised(normed(MAX_WAY)),
        references.supervised(nets.normed),
        learns=False,
        adapts=False,
    ),
    Case(
        "nearest_neighbour",
        NearestNeighbour,
        references.nearest_neighbour(),
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "from_scratch",
        lambda: FromScratch(normed(MAX_WAY)),
        references.from_scratch(nets.normed),
        gradient="none",
        learns=False,
        compiles=False,
    ),
    Case(
        "from_scratch_headless",
        lambda: FromScratch(normed(), eval_steps=3, inner_lr=0.05),
        references.from_scratch(nets.normed, steps=3, rate=0.05, head="prototypes"),
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
]
