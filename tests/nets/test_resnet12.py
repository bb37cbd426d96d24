"""ResNet-12's parameters, its arithmetic, its options and errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.keras_internals import descendants
from tfmeta.layers import check_exact
from tfmeta.learners import MAML, ProtoNet
from tfmeta.nets import fresh, resnet12

SMALL = {"filters": (2, 3, 4, 5), "input_shape": (17, 19, 2)}
DRAWS = np.random.default_rng(0)


def test_parameters() -> None:
    # A block of c channels on b: 9bc + 18cc + bc kernels, gamma and beta of four norms.
    net, before, count = resnet12(), 3, 0
    for channels in (64, 160, 320, 640):
        count += 10 * before * channels + 18 * channels**2 + 8 * channels
        before = channels
    assert sum(v.numpy().size for v in net.trainable_variables) == count == 12_424_320
    assert net.output_shape == (None, 640)
    convolutions = [x for x in descendants(net) if isinstance(x, keras.layers.Conv2D)]
    assert len(convolutions) == 12 + 4 and not any(x.use_bias for x in convolutions)
    assert resnet12(way=5, **SMALL).layers[-1].name == "head"


def test_it_does_what_the_paper_says() -> None:
    """Block for block, in NumPy, normalised by the batch."""
    net = fresh(resnet12(**SMALL), seed=3)
    x = DRAWS.normal(size=(3, 17, 19, 2)).astype("float32")
    measured, expected = net(x, training=True).numpy(), x.astype(np.float64)

    def kernel(name: str) -> np.ndarray:
        layers = {layer.name: layer for layer in descendants(net)}
        return layers[f"{name}_conv"].kernel.numpy().astype(np.float64)

    def normalised(x: np.ndarray) -> np.ndarray:
        centred = x - x.mean((0, 1, 2))
        return centred / np.sqrt((centred**2).mean((0, 1, 2)) + 1e-3)

    def convolved(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        edge = len(weights) // 2
        padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
        total = np.zeros((*x.shape[:3], weights.shape[-1]))
        for i in range(len(weights)):
            for j in range(len(weights)):
                part = padded[:, i : i + x.shape[1], j : j + x.shape[2]]
                total += part @ weights[i, j]
        return total

    def relu(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, 0.1 * x)

    for block in ("block1", "block2", "block3", "block4"):
        shortcut = normalised(convolved(expected, kernel(f"{block}_shortcut")))
        for i in (1, 2, 3):
            expected = normalised(convolved(expected, kernel(f"{block}_{i}")))
            expected = relu(expected) if i < 3 else relu(expected + shortcut)
        n, h, w, c = expected.shape
        cut = expected[:, : h // 2 * 2, : w // 2 * 2]
        expected = cut.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
    np.testing.assert_allclose(measured, expected.mean((1, 2)), atol=2e-3)


def test_first_weights_keep_the_variance_backwards() -> None:
    kernel = resnet12().get_layer("block4_2_conv").kernel.numpy()
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 640)), rel=0.01)


def test_drop_block_is_of_the_last_two_blocks_and_of_training() -> None:
    net = resnet12(drop_block=0.3, block_size=2, **SMALL)
    names = [layer.name for layer in net.layers if "drop" in layer.name]
    assert names == ["block3_drop", "block4_drop"]
    plain = resnet12(**SMALL)
    plain.set_weights(
        [
            w
            for w, v in zip(net.get_weights(), net.weights, strict=True)
            if "seed" not in v.path
        ]
    )
    x = DRAWS.random((4, 17, 19, 2), "float32")
    np.testing.assert_allclose(net(x), plain(x), rtol=1e-5)
    assert np.abs(net(x, training=True) - plain(x, training=True)).max() > 0.01


def test_learners_take_it() -> None:
    check_exact(resnet12(**SMALL))
    MAML(resnet12(way=3, **SMALL))
    ProtoNet(resnet12(drop_block=0.1, **SMALL))
    with pytest.raises(ValueError, match="random layers"):
        MAML(resnet12(way=3, drop_block=0.1, **SMALL))


def test_saves_and_loads(tmp_path) -> None:
    net = resnet12(way=3, drop_block=0.1, **SMALL)
    net.save(tmp_path / "net.keras")
    x = tf.constant(DRAWS.random((2, 17, 19, 2), "float32"))
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(loaded(x), net(x))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"way": 0}, "way=0"),
        ({"filters": (2, 3, 4)}, "4 numbers"),
        ({"filters": (2, 3, 0, 4)}, "at least 1"),
        ({"input_shape": (15, 84, 3)}, "16x16"),
        ({"input_shape": (84, 84)}, "height, width, channels"),
        ({"drop_block": 1.0}, "rate must be .* below 1"),
        ({"drop_block": 0.1, "block_size": 0}, "block_size"),
    ],
)
def test_bad_options_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        resnet12(**options)
