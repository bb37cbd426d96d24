"""What Reptile alone does."""

from __future__ import annotations

import pytest
import references
import tensorflow as tf
from learner_cases import Case
from learner_nets import MAX_WAY, dropped, normed, plain
from learner_tasks import GAPPED, check, episode, float64, numbers, same, state_of
from references import nets, rules

from tfmeta import Options
from tfmeta.inner import GradientDescent
from tfmeta.learners import Reptile

VARIANTS = [
    Case("default", lambda: Reptile(normed(MAX_WAY)), references.reptile(nets.normed)),
    Case(
        "small_batches",
        lambda: Reptile(
            plain(MAX_WAY),
            inner_steps=4,
            eval_steps=3,
            inner_batch=2,
            rule=GradientDescent(learning_rate=0.1),
        ),
        references.reptile(
            nets.plain, steps=4, served=3, batch=2, rule=rules.gradient_descent(0.1)
        ),
    ),
    Case(
        "whole_support_set",
        lambda: Reptile(
            normed(MAX_WAY), inner_batch=None, eval_steps=2, normalisation="running"
        ),
        references.reptile(nets.normed, batch=None, served=2, mode="running"),
    ),
]
# More examples than the default minibatch has.
MANY = ([0, 0, 1, 1, 1, 3, 3, 0, 3, 3, 3, 1, 0], [0, 1, 3, 3, 1])


@pytest.mark.parametrize("labels", [GAPPED, MANY], ids=["few", "many"])
@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.name)
@pytest.mark.parametrize("training", [False, True])
def test_variants_are_the_references(case: Case, training: bool, labels) -> None:
    check(case, labels, training=training)


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.name)
def test_the_meta_gradient_is_the_displacement_of_training(case: Case) -> None:
    with float64():
        learner, task = case.make(), episode(case, MANY, dtype="float64")
        _, _, gradients = learner.meta_gradients(task, Options(training=True))
    path = case.reference(state_of(learner), numbers(task), training=True).path
    for got, before, after in zip(gradients, path[0], path[-1], strict=True):
        same(got, before - after)
        assert abs(before - after).max() > 1e-4


def test_weights_that_do_not_adapt_are_not_displaced() -> None:
    case = Case("frozen", lambda: Reptile(frozen()), references.reptile(nets.dropped))
    learner, task = case.make(), episode(case)
    options = Options(training=True, seed=tf.constant(2))
    _, _, gradients = learner.meta_gradients(task, options)
    assert len(gradients) == len(learner.trainable_variables) == 2


def frozen():
    net = dropped()
    net.layers[1].trainable = False
    return net
