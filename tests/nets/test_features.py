"""A net that ends at one of another net's layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfmeta.nets import conv4, features, mlp


def test_the_output_is_that_of_the_layer() -> None:
    net = mlp(outputs=3, units=(4, 5), input_shape=(2,))
    x = np.random.default_rng(0).normal(size=(7, 2)).astype("float32")
    kernel, bias = net.get_layer("hidden1").get_weights()
    expected = np.maximum(x @ kernel + bias, 0)
    np.testing.assert_allclose(features(net, "hidden1")(x), expected, atol=1e-6)


def test_weights_are_shared() -> None:
    net = conv4(way=5, filters=2)
    cut = features(net, "block2_norm")
    assert cut.output_shape == (None, 14, 14, 2)
    assert {id(v) for v in cut.variables} < {id(v) for v in net.variables}


def test_sequential_nets_and_the_input_itself() -> None:
    net = keras.Sequential(
        [keras.Input((3,), name="in"), keras.layers.Dense(4, name="a")]
    )
    assert features(net, "a").output_shape == (None, 4)


def test_what_cannot_be_cut_is_refused() -> None:
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="must be a functional or a Sequential model"):
        features(Own(), "a")
    net = conv4(way=5)
    with pytest.raises(ValueError, match="'block9'. Its layers are: images, block1"):
        features(net, "block9")
    inputs, twice = keras.Input((4,)), keras.layers.Dense(4, name="twice")
    net = keras.Model(inputs, twice(twice(inputs)))
    with pytest.raises(ValueError, match="called 2 times"):
        features(net, "twice")
