"""Conv4's shapes, sizes and errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfmeta.nets import conv4


@pytest.mark.parametrize(
    ("options", "features"),
    [
        ({}, 64),
        ({"strided": True}, 64),
        ({"filters": 32, "input_shape": (84, 84, 3)}, 32 * 5 * 5),
        ({"strided": True, "filters": 7, "input_shape": (33, 17, 2)}, 7),
    ],
)
def test_embedding_size(options: dict, features: int) -> None:
    assert conv4(**options).output_shape == (None, features)


def test_parameters() -> None:
    # Kernels 9*64*(1+64+64+64), gamma and beta 4*2*64, head 64*5+5.
    net = conv4(way=5)
    assert sum(v.numpy().size for v in net.trainable_variables) == 111168 + 512 + 325
    assert net.layers[-1].name == "head"
    assert not any(
        layer.use_bias for layer in net.layers if isinstance(layer, keras.layers.Conv2D)
    )


def test_strided_embedding_is_the_mean_over_positions() -> None:
    net = conv4(strided=True, filters=3)
    maps = keras.Model(net.input, net.get_layer("block4_relu").output)
    x = np.random.default_rng(0).random((5, 28, 28, 1), "float32")
    assert maps(x).shape == (5, 2, 2, 3)
    expected = np.mean(maps(x), axis=(1, 2))
    np.testing.assert_allclose(net(x), expected, rtol=1e-5)


def test_saves_and_loads(tmp_path) -> None:
    net = conv4(way=3, filters=2)
    net.save(tmp_path / "net.keras")
    x = np.random.default_rng(0).random((2, 28, 28, 1), "float32")
    np.testing.assert_allclose(
        keras.saving.load_model(tmp_path / "net.keras")(x), net(x)
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"way": 0}, "way=0"),
        ({"filters": 0}, "filters=0"),
        ({"input_shape": (15, 28, 1)}, "16x16"),
        ({"input_shape": (28, 28)}, "height, width, channels"),
    ],
)
def test_bad_options_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        conv4(**options)
