"""The inner rules against their formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.inner import Adam, GradientDescent, LearnedRates
from tfmeta.learners import Reptile
from tfmeta.nets import mlp


def test_adam_is_keras_adam() -> None:
    rule = Adam(learning_rate=0.1, beta_1=0.7, beta_2=0.9, epsilon=1e-9)
    peer = keras.optimizers.Adam(0.1, beta_1=0.7, beta_2=0.9, epsilon=1e-9)
    variable = keras.Variable(np.array([1.0, -2.0, 3.0]), dtype="float64")
    params = [tf.constant(variable.numpy())]
    state = rule.init(params)
    for step in range(6):
        grads = [tf.sin(params[0] * (step + 1))]
        params, state = rule.update(grads, state, params, tf.constant(step))
        peer.apply(grads, [variable])
    np.testing.assert_allclose(params[0], variable.numpy(), rtol=1e-6)


def test_adam_has_finite_derivatives_where_the_gradient_is_zero() -> None:
    rule, start = Adam(), tf.zeros(3)
    with tf.GradientTape() as tape:
        tape.watch(start)
        moved, _ = rule.update([start * 0], rule.init([start]), [start], tf.constant(0))
    assert np.isfinite(tape.gradient(moved, start)[0]).all()


def test_learned_rates_scale_each_number() -> None:
    rule = LearnedRates(initial=0.5)
    rule.build([(2,), (3, None)])
    assert [tuple(r.shape) for r in rule.trainable_variables] == [(2,), (3, 1)]
    rule.rates[0].assign([0.1, -1.0])
    grads = [tf.constant([2.0, 3.0]), tf.ones((3, 4))]
    moved, _ = rule.update(grads, (), [tf.zeros(2), tf.zeros((3, 4))], tf.constant(0))
    np.testing.assert_allclose(moved[0], [-0.2, 3.0], rtol=1e-6)
    np.testing.assert_allclose(moved[1], np.full((3, 4), -0.5))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Adam(learning_rate=0),
        lambda: Adam(beta_1=1.0),
        lambda: Adam(beta_2=-0.1),
        lambda: LearnedRates(initial=0),
        lambda: GradientDescent(learning_rate=-1),
    ],
)
def test_numbers_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="Received"):
        wrong()


@pytest.mark.parametrize("rule", [Adam(beta_1=0.5), LearnedRates(initial=0.2)])
def test_config_makes_a_rule_again(rule) -> None:
    again = type(rule).from_config(rule.get_config())
    assert again.get_config() == rule.get_config()


def test_reptile_trains_no_rule() -> None:
    with pytest.raises(ValueError, match="cannot train the variables of rule=Learned"):
        Reptile(mlp(outputs=2, input_shape=(3,)), rule=LearnedRates())
