"""Nets as functions of their weights and state."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import functional
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
    found = functional.traits(model)
    moving = paths(model, found.moving)
    assert len(moving) == 4
    assert all("norm/" in p or "seed" in p for p in moving)
    assert not any("frozen" in p for p in moving)


class Own(keras.Model):
    """A net of a class of one's own, of one argument."""

    def __init__(self, *layers, tells=False):
        super().__init__()
        self.tells = tells
        self.own = list(layers)

    def call(self, x, training=False):
        for layer in self.own:
            x = layer(x, training=training) if self.tells else layer(x)
        return x


def test_a_class_of_ones_own_tells_what_it_was_built_with() -> None:
    own = Own(BatchNorm(), keras.layers.Dropout(0.5), tells=True)
    own(np.zeros((2, 3)))
    found = functional.traits(own)
    assert found.inputs.shape.as_list() == [None, 3]
    assert found.outputs.shape.as_list() == [None, 3]
    moving = paths(own, found.moving)
    assert len(moving) == 4 and "seed" in moving[-1]


def test_token_ids_are_found_to_be_integers() -> None:
    own = Own(keras.layers.Embedding(9, 4), keras.layers.GlobalAveragePooling1D())
    own(np.zeros((2, 5), "int32"))
    found = functional.traits(own)
    assert found.inputs.dtype == tf.int32
    assert found.outputs.shape.as_list() == [None, 4]


def test_several_inputs_are_a_nest() -> None:
    inputs = {n: keras.Input((size,), name=n) for n, size in (("a", 3), ("b", 2))}
    outputs = keras.layers.Concatenate()([inputs["a"], inputs["b"]])
    found = functional.traits(keras.Model(inputs, outputs))
    assert {n: s.shape.as_list() for n, s in found.inputs.items()} == {
        "a": [None, 3],
        "b": [None, 2],
    }
    assert found.outputs.shape.as_list() == [None, 5]


def test_a_net_that_cannot_be_run_is_refused() -> None:
    class Wrong(keras.Model):
        def call(self, x):
            raise ValueError("no such thing")

    wrong = Wrong()
    wrong.built = True
    with pytest.raises(ValueError, match="does not tell the shape of its input"):
        functional.traits(wrong)


def test_a_net_that_fails_on_its_own_shape_is_refused() -> None:
    class Picky(keras.Model):
        def call(self, x):
            if hasattr(self, "strict"):
                raise ValueError("no such thing")
            return x

    picky = Picky()
    picky(np.zeros((1, 3), np.float32))
    picky.strict = True
    with pytest.raises(ValueError, match=r"built with \(.*\). Call the net on a batch"):
        functional.traits(picky)


def test_seeds_are_a_function_of_the_episode_and_the_place() -> None:
    model, now = net(), functional.state(net())
    moving = functional.traits(model).moving
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
