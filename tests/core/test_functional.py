"""Nets as functions of their weights and state."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.normalised_net import NormalisedNet
from tfmeta.layers import BatchNorm


def net() -> keras.Model:
    """Every kind of non-trainable value: constant, frozen, statistic, seed."""
    scaling = keras.layers.Normalization()
    scaling.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)))
    layers = [
        keras.Input((4,)),
        scaling,
        keras.layers.Dense(3, name="frozen"),
        BatchNorm(name="norm"),
        keras.layers.Dropout(0.5),
        BatchNorm(name="frozen_norm"),
        keras.layers.Dense(2),
    ]
    model = keras.Sequential(layers)
    for name in ("frozen", "frozen_norm"):
        model.get_layer(name).trainable = False
    return model


def paths(model: keras.Model, chosen: list[bool]) -> list[str]:
    variables = model.non_trainable_variables
    return [v.path for v, c in zip(variables, chosen, strict=True) if c]


def test_moving_is_what_a_training_call_changes() -> None:
    model = net()
    moving = paths(model, functional.moving(model))
    assert len(moving) == 4
    assert all("norm/" in p or "seed" in p for p in moving)
    assert not any("frozen" in p for p in moving)


def test_moving_of_nets_without_any_or_without_inputs() -> None:
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm = BatchNorm()

        def call(self, x, training=False):
            return self.norm(x, training=training)

    own = Own()
    own(np.zeros((2, 3)))
    assert functional.moving(own) == [True] * 3
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    assert functional.moving(plain) == []


def test_empty_state_zeroes_the_statistics_alone() -> None:
    model = net()
    for variable in model.non_trainable_variables:
        variable.assign(variable + 1)
    moving = functional.moving(model)
    empty = functional.empty_state(model, moving)
    for value, now, moves in zip(empty, functional.state(model), moving, strict=True):
        if moves and value.dtype.is_floating:
            assert not np.any(value)
        else:
            np.testing.assert_array_equal(value, now)


def test_seeds_are_a_function_of_the_episode_and_the_place() -> None:
    model, now = net(), functional.state(net())
    moving = functional.moving(model)
    one, again, other = (
        functional.seeded(now, tf.constant(seed), moving) for seed in (1, 1, 2)
    )
    for value, a, b, c, moves in zip(now, one, again, other, moving, strict=True):
        np.testing.assert_array_equal(a, b)
        if moves and not value.dtype.is_floating:
            assert np.any(a != c)
        else:
            np.testing.assert_array_equal(a, value)
    assert functional.seeded(now, None, moving) is now


def test_call_reads_and_writes_no_variable() -> None:
    model = net()
    x = tf.constant(np.random.default_rng(0).normal(size=(5, 4)), tf.float32)
    before = model.get_weights()
    expected = model(x)
    params, state = functional.parameters(model), functional.state(model)
    for variable in model.variables:
        variable.assign(tf.zeros_like(variable.value))
    outputs, after = functional.call(model, params, state, x, training=False)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    functional.call(model, params, state, x, training=True)
    assert not any(np.any(v) for v in model.get_weights())
    assert any(np.any(v) for v in before)
    assert len(after) == len(state)


def frozen_part() -> keras.Model:
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(3, trainable=False),
        BatchNorm(),
        keras.layers.Dense(2),
    ]
    return keras.Sequential(layers)


def test_support_statistics_leave_frozen_weights_alone() -> None:
    model = frozen_part()
    normalised = NormalisedNet(model, "support")
    assert [v.path.split("/")[-1] for v in normalised.statistics] == [
        "moving_mean",
        "moving_variance",
        "weight",
    ]
    x = tf.constant(np.random.default_rng(0).normal(size=(5, 4)), tf.float32)
    params = functional.parameters(model)
    outputs, state = normalised.support(params, x, training=False)
    again = normalised.query(params, state, x, training=False)
    # Moving averages nudged by one part in a hundred: as a whole, the batch's own.
    np.testing.assert_allclose(again, outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs, model(x, training=True), rtol=1e-5, atol=1e-6)


def test_a_net_of_frozen_weights_has_no_statistics() -> None:
    dense = keras.layers.Dense(3, trainable=False)
    model = keras.Sequential([keras.Input((4,)), dense, keras.layers.Dense(2)])
    assert NormalisedNet(model, "support").mode == "none"


def test_foreign_statistics_are_refused_where_one_batch_cannot_set_them() -> None:
    stock = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((4,)), stock, keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="moving_mean.*swap_inexact"):
        NormalisedNet(model, "support")
    assert NormalisedNet(model, "running").mode == "running"


@pytest.mark.parametrize("mode", ["support", "task"])
def test_dropout_beside_batch_norm_is_refused(mode: str) -> None:
    layers = [keras.Input((4,)), BatchNorm(), keras.layers.Dropout(0.5)]
    with pytest.raises(ValueError, match="random layers"):
        NormalisedNet(keras.Sequential(layers), mode)


def test_bad_modes_and_unbuilt_nets_are_refused() -> None:
    with pytest.raises(ValueError, match="support, task, running.*'batch'"):
        NormalisedNet(frozen_part(), "batch")
    with pytest.raises(ValueError, match="must be built"):
        NormalisedNet(keras.Sequential([keras.layers.Dense(2)]), "task")


def test_support_and_queries_drop_other_units() -> None:
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5)])
    normalised = NormalisedNet(model, "running")
    x, seed = tf.ones((1, 50)), tf.constant(3)
    support, _ = normalised.support([], x, training=True, seed=seed)
    queries = normalised.query([], [], x, training=True, seed=seed)
    again, _ = normalised.support([], x, training=True, seed=seed)
    np.testing.assert_array_equal(support, again)
    assert 5 < np.sum((support != queries).numpy()) < 45


def test_a_folded_seed_is_a_function_of_both_numbers() -> None:
    one, same, other, later = (
        int(functional.folded(tf.constant(seed), number))
        for seed, number in ((1, 2), (1, tf.constant(2)), (2, 2), (1, 3))
    )
    assert one == same and len({one, other, later}) == 3
    assert functional.folded(None, 1) is None
