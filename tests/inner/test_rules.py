"""The inner rules against their formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.inner import (
    Adam,
    ClipNorm,
    GradientDescent,
    LearnedRates,
    Step,
    UpdateRule,
    chain,
)
from tfmeta.learners import MAML, FineTune, FromScratch, LinearProbe, Reptile
from tfmeta.nets import mlp


def step(number: int = 0) -> Step:
    return Step(tf.constant(number), 5, tf.constant(0.0))


def test_gradient_descent() -> None:
    rule = GradientDescent(learning_rate=0.5)
    updates, state = rule.update([tf.constant(2.0)], (), [tf.constant(3.0)], step())
    assert updates[0].numpy() == -1.0 and state == ()


def test_adam_is_keras_adam() -> None:
    rule = Adam(learning_rate=0.1, beta_1=0.7, beta_2=0.9, epsilon=1e-9)
    peer = keras.optimizers.Adam(0.1, beta_1=0.7, beta_2=0.9, epsilon=1e-9)
    variable = keras.Variable(np.array([1.0, -2.0, 3.0]), dtype="float64")
    params = [tf.constant(variable.numpy())]
    state = rule.init(params)
    for number in range(6):
        grads = [tf.sin(params[0] * (number + 1))]
        updates, state = rule.update(grads, state, params, step(number))
        params = [p + u for p, u in zip(params, updates, strict=True)]
        peer.apply(grads, [variable])
    np.testing.assert_allclose(params[0], variable.numpy(), rtol=1e-6)


def test_adam_has_finite_derivatives_where_the_gradient_is_zero() -> None:
    rule, start = Adam(), tf.zeros(3)
    with tf.GradientTape() as tape:
        tape.watch(start)
        updates, _ = rule.update([start * 0], rule.init([start]), [start], step())
        moved = start + updates[0]
    assert np.isfinite(tape.gradient(moved, start)).all()


def test_learned_rates_scale_each_number() -> None:
    rule = LearnedRates(learning_rate=0.5)
    rule.build([(2,), (3, None)])
    assert [tuple(r.shape) for r in rule.trainable_variables] == [(2,), (3, 1)]
    rule.rates[0].assign([0.1, -1.0])
    grads = [tf.constant([2.0, 3.0]), tf.ones((3, 4))]
    updates, _ = rule.update(grads, (), [tf.zeros(2), tf.zeros((3, 4))], step())
    np.testing.assert_allclose(updates[0], [-0.2, 3.0], rtol=1e-6)
    np.testing.assert_allclose(updates[1], np.full((3, 4), -0.5))


def test_clipping_scales_all_to_the_norm() -> None:
    grads = [tf.constant([3.0, 0.0]), tf.constant([[4.0]])]  # Of norm 5.
    clipped, _ = ClipNorm(norm=1.0).update(grads, (), grads, step())
    np.testing.assert_allclose(clipped[0], [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(clipped[1], [[0.8]], rtol=1e-6)
    kept, _ = ClipNorm(norm=5.5).update(grads, (), grads, step())
    np.testing.assert_allclose(kept[0], grads[0], rtol=1e-6)


def test_a_chain_hands_gradients_on() -> None:
    inner = Adam(learning_rate=0.1)
    rule = chain(ClipNorm(norm=1.0), inner)
    params = [tf.constant([3.0, 4.0])]
    state, alone = rule.init(params), inner.init(params)
    for number in range(3):
        updates, state = rule.update(params, state, params, step(number))
        clipped = [params[0] / tf.norm(params[0])]
        expected, alone = inner.update(clipped, alone, params, step(number))
        np.testing.assert_allclose(updates[0], expected[0], rtol=1e-6)
        params = [params[0] + updates[0]]


def test_a_chain_ends_with_the_rule_that_takes_the_step() -> None:
    for wrong in (
        (GradientDescent(), ClipNorm(norm=1.0)),
        (GradientDescent(), GradientDescent()),
        (),
    ):
        with pytest.raises(ValueError, match="the last rule takes the step"):
            chain(*wrong)
    with pytest.raises(ValueError, match="ClipNorm changes gradients.*chain"):
        MAML(mlp(outputs=2, input_shape=(3,)), rule=ClipNorm(norm=1.0))


def test_a_chain_builds_and_owns_its_rules() -> None:
    rule = chain(ClipNorm(norm=1.0), LearnedRates(learning_rate=0.3))
    learner = MAML(mlp(outputs=2, input_shape=(3,)), rule=rule)
    assert len(rule.trainable_variables) == len(learner.net.trainable_variables)
    again = MAML.from_config(learner.get_config())
    assert [type(r) for r in again.rule.rules] == [ClipNorm, LearnedRates]
    assert again.rule.rules[0].norm == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Adam(learning_rate=0),
        lambda: Adam(beta_1=1.0),
        lambda: Adam(beta_2=-0.1),
        lambda: LearnedRates(learning_rate=0),
        lambda: GradientDescent(learning_rate=-1),
        lambda: GradientDescent(learning_rate=float("nan")),
        lambda: ClipNorm(norm=0),
    ],
)
def test_numbers_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="Received"):
        wrong()


@pytest.mark.parametrize(
    "rule", [Adam(beta_1=0.5), LearnedRates(learning_rate=0.2), ClipNorm(norm=2.0)]
)
def test_config_makes_a_rule_again(rule) -> None:
    again = type(rule).from_config(rule.get_config())
    assert again.get_config() == rule.get_config()


def net(outputs: int | None = 2) -> keras.Model:
    return mlp(outputs=outputs, input_shape=(3,))


@pytest.mark.parametrize(
    ("make", "kind", "rate"),
    [
        (lambda **options: MAML(net(), **options), GradientDescent, 0.4),
        (lambda **options: FineTune(net(), **options), GradientDescent, 0.01),
        (lambda **options: FromScratch(net(), **options), GradientDescent, 0.1),
        (lambda **options: LinearProbe(net(None), **options), Adam, 0.01),
        (lambda **options: Reptile(net(), **options), Adam, 1e-3),
    ],
)
def test_a_learners_own_rule_and_rate(make, kind: type[UpdateRule], rate: float):
    assert type(make().rule) is kind and make().rule.learning_rate == rate
    assert make(inner_lr=0.7).rule.learning_rate == 0.7
    assert make(rule=Adam).rule.learning_rate == 1e-3
    assert make(rule=Adam, inner_lr=0.7).rule.learning_rate == 0.7
    mine = GradientDescent(learning_rate=0.2)
    assert make(rule=mine).rule is mine
    with pytest.raises(ValueError, match="has its rate already.*inner_lr=0.4"):
        make(rule=mine, inner_lr=0.4)
    with pytest.raises(ValueError, match="must be an update rule.*'sgd'"):
        make(rule="sgd")


def test_reptiles_adam_has_no_first_moment() -> None:
    assert Reptile(net()).rule.beta_1 == 0.0
    assert Reptile(net(), rule=Adam).rule.beta_1 == 0.9


def test_reptile_trains_no_rule() -> None:
    with pytest.raises(ValueError, match="cannot train the variables of rule=Learned"):
        Reptile(net(), rule=LearnedRates())


def test_old_names_are_told_the_new_ones() -> None:
    with pytest.raises(ValueError, match="'initial' any more: use learning_rate"):
        LearnedRates(initial=0.1)
    for make in (FineTune, FromScratch, LinearProbe):
        with pytest.raises(ValueError, match="'train_steps' any more: use eval_steps"):
            make(net(), train_steps=3)
        with pytest.raises(ValueError, match="'learning_rate' any more: use inner_lr"):
            make(net(), learning_rate=0.1)


def test_carried_adam_goes_on_where_the_task_before_ended() -> None:
    """Two tasks of three steps are like one of six, whose first moment starts anew."""
    params, grads = [tf.constant([1.0, 2.0])], [tf.constant([0.3, -2.0])]
    whole = Adam(learning_rate=0.1, beta_1=0.0, beta_2=0.8)
    state = whole.init(params)
    for number in range(6):
        scaled = [g * (number + 1) for g in grads]
        wanted, state = whole.update(scaled, state, params, step(number))
    rule = Adam(learning_rate=0.1, beta_1=0.0, beta_2=0.8, carried=True)
    rule.build([(2,)])
    assert not rule.trainable_variables and len(rule.statistics) == 2
    for start in (0, 3):
        state = rule.init(params)
        for number in range(3):
            scaled = [g * (start + number + 1) for g in grads]
            found, state = rule.update(scaled, state, params, step(number))
        for variable, value in zip(rule.statistics, rule.kept(state), strict=True):
            variable.assign(value)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-6)


def test_a_chain_carries_what_its_rules_carry() -> None:
    rule = chain(ClipNorm(norm=1e9), Adam(carried=True))
    rule.build([(2,)])
    params = [tf.ones(2)]
    _, state = rule.update(params, rule.init(params), params, step())
    found = dict(zip((v.name for v in rule.statistics), rule.kept(state), strict=True))
    np.testing.assert_allclose(found["carried0"], [0.001, 0.001], rtol=1e-4)
    np.testing.assert_allclose(found["carried1"], 0.001, rtol=1e-4)


def test_a_made_head_carries_nothing() -> None:
    with pytest.raises(ValueError, match="head is made for each task"):
        MAML(mlp(input_shape=(3,)), rule=Adam(carried=True))
