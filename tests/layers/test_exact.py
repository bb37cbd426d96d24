"""Finding, refusing and swapping layers that are wrong at second order."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from tfmeta.layers import BatchNorm, check_exact, inexact_layers, swap_inexact
from tfmeta.nets import conv4


def _stock_net() -> keras.Model:
    inner = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6),
            layers.GroupNormalization(2, name="group"),
        ],
        name="inner",
    )
    inputs = keras.Input((4,), name="features")
    x = layers.BatchNormalization(name="batch", momentum=0.8)(inner(inputs))
    x = layers.LayerNormalization(name="layer", epsilon=1e-5)(x) + x
    return keras.Model(inputs, layers.Dense(2, name="head")(x), name="stock")


def _scramble(net: keras.Model) -> None:
    rng = np.random.default_rng(0)
    net.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in net.get_weights()])


def test_our_nets_are_exact() -> None:
    net = conv4(way=5)
    assert inexact_layers(net) == []
    check_exact(net)


def test_stock_layers_are_found_at_any_depth() -> None:
    assert inexact_layers(_stock_net()) == [
        ("inner/group", "GroupNormalization"),
        ("batch", "BatchNormalization"),
        ("layer", "LayerNormalization"),
    ]


def test_wrappers_and_other_layers_are_found() -> None:
    net = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.TimeDistributed(layers.LayerNormalization(name="n"), name="td"),
            layers.UpSampling2D(interpolation="bilinear", name="up"),
            layers.UpSampling2D(interpolation="nearest"),
            layers.SpectralNormalization(layers.Conv2D(2, 2), name="sn"),
            layers.RMSNormalization(),
            layers.UnitNormalization(),
        ]
    )
    assert inexact_layers(net) == [
        ("td/n", "LayerNormalization"),
        ("up", "UpSampling2D"),
        ("sn", "SpectralNormalization"),
    ]


def test_frozen_batch_normalization_is_exact() -> None:
    net = keras.Sequential([keras.Input((3,)), layers.BatchNormalization()])
    assert inexact_layers(net)
    net.layers[0].trainable = False
    assert inexact_layers(net) == []


def test_check_names_layers_and_remedies() -> None:
    with pytest.raises(ValueError, match=r"inner/group.*tfmeta\.layers\.swap_inexact"):
        check_exact(_stock_net())
    resize = keras.Sequential([keras.Input((4, 4, 1)), layers.Resizing(2, 2)])
    with pytest.raises(ValueError, match="Resizing.*nearest"):
        check_exact(resize)


def test_swap_keeps_outputs_weights_and_names() -> None:
    net = _stock_net()
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
    assert inexact_layers(swapped) == []
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
    swapped = swap_inexact(_stock_net())
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
        [keras.Input((2, 3)), layers.TimeDistributed(layers.LayerNormalization())]
    )
    with pytest.raises(ValueError, match="LayerNormalization"):
        swap_inexact(wrapped)
    decayed = keras.Sequential(
        [keras.Input((3,)), layers.LayerNormalization(gamma_regularizer="l2")]
    )
    with pytest.raises(ValueError, match="gamma_regularizer"):
        swap_inexact(decayed)
