"""Finding and refusing what is wrong at second order."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf
from keras import layers
from learner_nets import stock_net

from tfmeta.layers import check_exact, inexact_parts
from tfmeta.learners import MAML
from tfmeta.nets import conv4


def test_our_nets_are_exact() -> None:
    net = conv4(way=5)
    assert inexact_parts(net) == []
    check_exact(net)


def test_stock_layers_are_found_at_any_depth() -> None:
    assert inexact_parts(stock_net()) == [
        ("inner/group", "stock normalisation"),
        ("batch", "stock normalisation"),
        ("layer", "stock normalisation"),
    ]


def _between(*middle: keras.layers.Layer) -> keras.Model:
    """Layers after some weights, on maps (6, 6, 3)."""
    first = layers.Conv2D(3, 1, name="first")
    last = [layers.Flatten(), layers.Dense(2, name="head")]
    return keras.Sequential([keras.Input((6, 6, 3)), first, *middle, *last])


@keras.saving.register_keras_serializable("tfmeta_tests")
class _Whitened(layers.Layer):
    """Has the batch statistics of stock normalisation in code of its own."""

    def call(self, x):
        return x - keras.ops.moments(x, axes=[0])[1]


# A part of a net, and the name of what it is.
PARTS = {
    "nested": (
        lambda: keras.Sequential([layers.LayerNormalization(name="n")], name="deep"),
        ("deep/n", "stock normalisation"),
    ),
    "lambda": (
        lambda: layers.Lambda(lambda x: tf.nn.moments(x, [0])[1] + x, name="own"),
        ("own", "moments"),
    ),
    "own_layer": (lambda: _Whitened(name="own"), ("own", "moments")),
    "wrapper": (
        lambda: layers.TimeDistributed(layers.LayerNormalization(), name="td"),
        ("td", "moments"),
    ),
    "softsign_activation": (
        lambda: layers.Activation("softsign", name="act"),
        ("act", "softsign"),
    ),
    "softsign_argument": (
        lambda: layers.Dense(4, activation="softsign", name="dense"),
        ("dense", "softsign"),
    ),
    "up_bilinear": (
        lambda: layers.UpSampling2D(interpolation="bilinear", name="up"),
        ("up", "bilinear resizing"),
    ),
    "up_bicubic": (
        lambda: layers.UpSampling2D(interpolation="bicubic", name="up"),
        ("up", "bicubic resizing"),
    ),
    "up_lanczos": (
        lambda: layers.UpSampling2D(interpolation="lanczos3", name="up"),
        ("up", "antialiased or Lanczos resizing"),
    ),
    "resizing_nearest": (
        lambda: layers.Resizing(3, 3, interpolation="nearest", name="re"),
        ("re", "nearest resizing"),
    ),
    "crop_that_enlarges": (
        lambda: layers.CenterCrop(8, 8, name="crop"),
        ("crop", "bilinear resizing"),
    ),
    "spectral": (
        lambda: layers.SpectralNormalization(layers.Conv2D(2, 2), name="sn"),
        ("sn", "spectral normalisation"),
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_wrong_part_is_found_and_refused(name: str) -> None:
    make, part = PARTS[name]
    net = _between(make())
    assert inexact_parts(net) == [part]
    with pytest.raises(ValueError, match=rf"{part[1]} \(in {part[0]}\)\. \w+"):
        MAML(net)
    assert MAML(net, first_order=True, normalisation="running").first_order


def test_operations_of_functional_nets_are_found_in_nested_models_too() -> None:
    def statistics() -> keras.Model:
        inputs = keras.Input((6,))
        mean, variance = keras.ops.moments(inputs, axes=[0])
        return keras.Model(inputs, (inputs - mean) / variance, name="inner")

    inputs = keras.Input((6,))
    x = statistics()(layers.Dense(6)(inputs))
    x = keras.ops.layer_normalization(keras.ops.softsign(x))
    net = keras.Model(inputs, layers.Dense(2)(x))
    assert inexact_parts(net) == [
        ("inner", "moments"),
        ("", "softsign"),
        ("", "moments"),
    ]
    with pytest.raises(
        ValueError,
        match=r"moments \(in inner, the net itself\), softsign \(in the net itself\)\. "
        r"Take means and variances by keras\.ops\.mean and keras\.ops\.var\. Use "
        r"another activation, such as tanh\. Or leave the net as it is, and take a "
        r"first-order learner",
    ):
        check_exact(net)


def test_what_a_loop_runs_is_found() -> None:
    cell = layers.LSTMCell(3, activation="softsign", name="cell")
    net = keras.Sequential(
        [keras.Input((None, 2)), layers.RNN(cell, name="rnn"), layers.Dense(2)]
    )
    assert {operation for _, operation in inexact_parts(net)} == {"softsign"}


def test_labels_that_the_net_computes_are_found() -> None:
    inputs = keras.Input((4,))
    z = layers.Dense(3)(inputs)

    def fit(z, labels):
        return tf.nn.softmax_cross_entropy_with_logits(labels, z)[:, None]

    given = keras.Input((3,))
    for labels, found in ((layers.Dense(3)(inputs), 1), (given, 0)):
        loss = layers.Lambda(lambda pair: fit(*pair), name="loss")([z, labels])
        assert len(inexact_parts(keras.Model([inputs, given], loss))) == found


def test_what_right_layers_use_is_not_found() -> None:
    right = [
        layers.UpSampling2D(interpolation="nearest"),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.Lambda(lambda x: x - keras.ops.logsumexp(x, -1, keepdims=True)),
        layers.Lambda(lambda x: x / keras.ops.std(x, axis=0)),
        layers.Lambda(lambda x: x + keras.ops.stop_gradient(x)),
    ]
    assert inexact_parts(_between(*right)) == []


def test_what_comes_before_all_weights_is_exact() -> None:
    first = [layers.Resizing(4, 4), layers.BatchNormalization(scale=False)]
    net = keras.Sequential(
        [keras.Input((6, 6, 3)), *first, layers.Flatten(), layers.Dense(2)]
    )
    assert inexact_parts(net) == []


def test_frozen_batch_normalization_is_exact() -> None:
    norm = layers.BatchNormalization()
    net = _between(norm)
    assert inexact_parts(net)
    norm.trainable = False
    assert inexact_parts(net) == []


def test_unbuilt_nets_are_refused() -> None:
    with pytest.raises(ValueError, match="does not tell the shape of its input"):
        check_exact(keras.Sequential([layers.Dense(2)]))
