"""Copies of nets with exact normalisation, and without random layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from learner_nets import stock_net

from tfmeta import Examples, Options
from tfmeta.layers import BatchNorm, DropBlock, adaptable, inexact_parts, swap_inexact
from tfmeta.learners import MAML, ProtoNet


def _scramble(net: keras.Model) -> None:
    rng = np.random.default_rng(0)
    net.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in net.get_weights()])


def test_swap_keeps_outputs_weights_and_names() -> None:
    net = stock_net()
    _scramble(net)
    before = net.get_weights()
    swapped = swap_inexact(net)
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(swapped(x), net(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        swapped(x, training=True), net(x, training=True), rtol=1e-4, atol=1e-5
    )
    assert [layer.name for layer in swapped.layers] == [x.name for x in net.layers]
    assert swapped.get_layer("inner").get_layer("group").groups == 2
    assert swapped.get_layer("batch").momentum == 0.8
    assert inexact_parts(swapped) == []
    assert swapped.name == "stock"
    # The training call moved only the stock net's two moving statistics.
    after = net.get_weights()
    moved = [
        i for i, (a, b) in enumerate(zip(before, after, strict=True)) if (a != b).any()
    ]
    assert len(moved) == 2


def test_swap_keeps_shared_layers_shared() -> None:
    shared = layers.LayerNormalization()
    inputs = keras.Input((3,))
    net = keras.Model(inputs, shared(shared(inputs) * 2.0))
    assert len(swap_inexact(net).trainable_variables) == 2


def test_swap_leaves_our_own_layers_and_seeds_alone() -> None:
    net = keras.Sequential(
        [
            keras.Input((3,)),
            BatchNorm(),
            layers.Dropout(0.5),
            layers.BatchNormalization(),
        ]
    )
    net(np.ones((4, 3), "float32"), training=True)
    swapped = swap_inexact(net)
    assert float(swapped.layers[0].weight) == pytest.approx(0.01)
    assert float(swapped.layers[2].weight) == 1.0


def test_swap_saves_and_loads(tmp_path) -> None:
    swapped = swap_inexact(stock_net())
    swapped.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(loaded(x), swapped(x))


class _Own(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.norm = layers.BatchNormalization()

    def call(self, x):
        return self.norm(x)


def test_swap_refuses_what_it_cannot_do() -> None:
    own = _Own()
    own(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match="functional or sequential.*_Own"):
        swap_inexact(own)
    wrapped = keras.Sequential(
        [
            keras.Input((2, 3)),
            layers.Dense(3),
            layers.TimeDistributed(layers.LayerNormalization(), name="td"),
        ]
    )
    with pytest.raises(ValueError, match="moments .in td"):
        swap_inexact(wrapped)
    decayed = keras.Sequential(
        [keras.Input((3,)), layers.LayerNormalization(gamma_regularizer="l2")]
    )
    with pytest.raises(ValueError, match="gamma_regularizer"):
        swap_inexact(decayed)


def _dropping() -> keras.Model:
    """A net that is random in every way that Keras' layers know."""
    inputs = keras.Input((6, 4), name="rows")
    x = layers.Dropout(0.5, name="drop")(layers.Dense(4)(inputs))
    x = layers.TimeDistributed(layers.GaussianNoise(0.3), name="noise")(x)
    x = layers.MultiHeadAttention(2, 2, dropout=0.2, name="attend")(x, x)
    x = layers.SpatialDropout1D(0.2)(layers.BatchNormalization(name="norm")(x))
    x = layers.LSTM(4, dropout=0.1, recurrent_dropout=0.1, return_sequences=True)(x)
    x = layers.Reshape((6, 4, 1))(x)
    x = layers.Flatten()(DropBlock(rate=0.2, block_size=2)(x))
    return keras.Model(inputs, layers.Dense(2, name="head")(x), name="random")


def test_adaptable_takes_out_randomness_and_stock_normalisation() -> None:
    net = _dropping()
    _scramble(net)
    for learner in (MAML, ProtoNet):
        with pytest.raises(ValueError, match=r"random layers \(.*adaptable"):
            learner(net, normalisation="support")
    copy = adaptable(net)
    x = np.random.default_rng(1).normal(size=(5, 6, 4)).astype("float32")
    np.testing.assert_allclose(copy(x), net(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(copy(x, training=True), copy(x, training=True))
    assert [layer.name for layer in copy.layers] == [x.name for x in net.layers]
    assert net.get_layer("drop").rate == 0.5
    for mode in ("support", "task", "running"):
        assert not MAML(copy, normalisation=mode).random


def test_adaptable_refuses_other_random_layers() -> None:
    first = [keras.Input((4, 4, 3)), layers.RandomFlip(name="flip")]
    net = keras.Sequential([*first, layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"flip \(RandomFlip\)\. Take these out"):
        adaptable(net)


def test_mobile_net_is_refused_by_one_error_and_mended_by_one_call() -> None:
    net = keras.applications.MobileNetV3Small(
        weights=None, input_shape=(32, 32, 3), classifier_activation=None
    )
    with pytest.raises(
        ValueError,
        match=r"moving statistics .*\(conv_bn, expanded_conv_depthwise_bn, "
        r"expanded_conv_project_bn and 31 more\).*random layers \(dropout\w*\).*"
        r"second derivatives.*and 31 more\)\. Take tfmeta\.layers\.adaptable\(net\)",
    ) as error:
        MAML(net)
    assert len(str(error.value)) < 900
    copy = adaptable(net)
    x = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(copy(x), net(x), rtol=1e-4, atol=1e-6)
    support = Examples(tf.constant(x), tf.constant([0, 1, 0, 1]))
    for learner in (ProtoNet(copy), MAML(copy, inner_lr=0.01)):
        adapted = learner.adapt(support, Options())
        answers = learner.predict(adapted, support.x, Options())
        assert answers.shape == (4, 2) and np.all(np.isfinite(answers))
