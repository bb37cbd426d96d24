"""Layers that training leaves as they are."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.nets import conv4, freeze, fresh, mlp


def test_frozen_layers_have_no_trainable_weights() -> None:
    net = mlp(outputs=5, units=(8, 8))
    assert freeze(net, ["hidden1", "hidden2"]) == ["hidden1", "hidden2"]
    assert [v.name for v in net.trainable_variables] == ["kernel", "bias"]


def test_a_layer_freezes_what_is_inside_and_inside_layers_have_paths() -> None:
    net = conv4(way=5, filters=2)
    inside = ["block1/block1_conv", "block1/block1_norm"]
    assert set(freeze(net, "block1")) == {"block1", *inside}
    net = conv4(way=5, filters=2)
    assert freeze(net, "block1/block1_conv") == ["block1/block1_conv"]
    assert freeze(net, "block2_conv") == ["block1/block1_conv", "block2_conv"]


def test_a_frozen_normalisation_uses_its_averages_in_training() -> None:
    net = conv4(way=5, filters=2, input_shape=(16, 16, 1))
    x = tf.random.stateless_uniform((4, 16, 16, 1), (0, 0))
    freeze(net, [f"block{i}_norm" for i in (2, 3, 4)] + ["block1"])
    before = [v.numpy() for v in net.non_trainable_variables]
    np.testing.assert_array_equal(net(x, training=True), net(x, training=False))
    for variable, old in zip(net.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_a_config_remembers_it() -> None:
    net = conv4(way=5, filters=2)
    freeze(net, ["block1", "block2_conv"])
    again = fresh(net, seed=1)
    left = [v.path for v in net.trainable_variables]
    assert [v.path for v in again.trainable_variables] == left
    assert len(left) == 10


def test_names_that_do_not_fit_are_refused_and_change_nothing() -> None:
    net = mlp(outputs=5, units=(8, 8))
    for names in (["hidden1", "hidden9"], [], "hidden"):
        with pytest.raises(ValueError, match="The layers are: hidden1, hidden2, head"):
            freeze(net, names)
    with pytest.raises(ValueError, match="freezes all of them"):
        freeze(net, ["hidden1", "hidden2", "head"])
    assert len(net.trainable_variables) == 6


def test_layers_without_weights_are_no_choice() -> None:
    net = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.ReLU(name="relu"),
            keras.layers.Dense(2, name="head"),
        ]
    )
    with pytest.raises(ValueError, match="'relu'. The layers are: head"):
        freeze(net, "relu")
