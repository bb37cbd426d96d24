"""What Reptile alone does."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from learner_cases import Case, later
from learner_nets import MAX_WAY, dropped, normed, plain
from learner_tasks import (
    GAPPED,
    batch,
    check,
    episode,
    float64,
    numbers,
    same,
    state_of,
)
from references import nets, rules

from tfmeta import MetaModel, Options
from tfmeta.inner import GradientDescent
from tfmeta.learners import Reptile

SAME = references.reptile(nets.normed, batch=None)
TRAINING = Options(training=True)
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


def test_training_keeps_the_mean_of_the_moments_that_tasks_leave() -> None:
    case = Case("several", lambda: Reptile(normed(MAX_WAY), inner_batch=None), SAME)
    learner, tasks = case.make(), batch(case)
    supports = [
        tf.nest.map_structure(lambda t, i=i: t[i], tasks.support) for i in range(3)
    ]
    each = [learner.adapt(support, TRAINING) for support in supports]
    wanted = [np.mean(v, 0) for v in zip(*(a["carried"] for a in each), strict=True)]
    before = [v.numpy() for v in learner.net.non_trainable_variables]
    model = MetaModel(learner)
    model.compile(keras.optimizers.SGD(1.0))
    asked = {"support_x": tasks.support.x, "support_y": tasks.support.y}
    model.meta_step(({**asked, "query_x": tasks.query.x}, tasks.query.y))
    for variable, mean in zip(learner.rule.statistics, wanted, strict=True):
        np.testing.assert_allclose(variable, mean, rtol=1e-5, atol=1e-12)
    assert float(learner.rule.statistics[-1].numpy()) > 0
    # The net's own statistics are left alone, as the mode is "support".
    for old, new in zip(before, learner.net.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_task_that_is_served_starts_from_the_moments_and_carries_none() -> None:
    case = Case("served", lambda: Reptile(normed(MAX_WAY), inner_batch=None), SAME)
    task = episode(case)
    first, other = case.make(), later(case.make())
    served = Options(steps=3)
    answers = [learner.adapt(task.support, served) for learner in (first, other)]
    assert all("carried" not in adapted for adapted in answers)
    assert not np.allclose(answers[0]["params"][0], answers[1]["params"][0], rtol=1e-4)
