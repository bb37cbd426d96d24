"""The small convolutional net."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.layers import check_exact
from tfmeta.nets import cnn


def affine(net, place: int, x: np.ndarray) -> np.ndarray:
    """What follows the sums of layer `place`: a bias or a normalisation, then ReLU."""
    if f"norm{place}" not in [layer.name for layer in net.layers]:
        layer = net.get_layer("dense" if place == 3 else f"conv{place}")
        return np.maximum(x + layer.bias.numpy(), 0)
    norm = net.get_layer(f"norm{place}")
    gamma, beta, mean, variance, weight = (np.array(w) for w in norm.get_weights())
    mean, variance = mean / weight, variance / weight
    x = (x - mean) / np.sqrt(variance + norm.epsilon)
    return np.maximum(gamma * x + beta, 0)


def naive(net, x: np.ndarray, stride: int) -> np.ndarray:
    """The net without its dropout, in loops."""
    for place in (1, 2):
        kernel = net.get_layer(f"conv{place}").kernel.numpy()
        size, step = len(kernel), stride if place == 1 else 1
        rows, columns = ((n - size) // step + 1 for n in x.shape[1:3])
        out = np.zeros((len(x), rows, columns, kernel.shape[-1]))
        for i in range(rows):
            for j in range(columns):
                top, left = step * i, step * j
                patch = x[:, top : top + size, left : left + size]
                out[:, i, j] = np.tensordot(patch, kernel, 3)
        x = affine(net, place, out)
    rows, columns = x.shape[1] // 2, x.shape[2] // 2
    x = x[:, : 2 * rows, : 2 * columns]
    x = x.reshape(len(x), rows, 2, columns, 2, -1).max((2, 4)).reshape(len(x), -1)
    x = affine(net, 3, x @ net.get_layer("dense").kernel.numpy())
    return x @ net.get_layer("head").kernel.numpy() + net.get_layer("head").bias.numpy()


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (2, 2)])
def test_the_logits_are_the_naive_ones(kernel, stride, batch_norm) -> None:
    net = cnn(
        way=3,
        filters=2,
        kernel=kernel,
        strided=stride == 2,
        batch_norm=batch_norm,
        units=5,
        input_shape=(10, 9, 2),
    )
    draws = np.random.default_rng(0)
    for layer in net.layers:  # Biases and statistics begin where they would not show.
        for weight in layer.weights:
            if len(weight.shape) < 2:
                weight.assign(draws.uniform(0.1, 0.5, weight.shape))
    x = draws.normal(size=(4, 10, 9, 2)).astype("float32")
    np.testing.assert_allclose(net(x), naive(net, x, stride), rtol=1e-4, atol=1e-5)


def test_sizes_and_layers() -> None:
    assert cnn().output_shape == (None, 128)
    assert [layer.name for layer in cnn(way=5, dropout=0.0).layers] == [
        *("images", "conv1", "relu1", "conv2", "relu2", "pool", "flat"),
        *("dense", "embedding", "head"),
    ]
    assert cnn(way=5).get_layer("drop2").rate == 0.5
    check_exact(cnn(way=5, dropout=0.0, batch_norm=True))
    assert cnn(kernel=5, strided=True, input_shape=(15, 15, 1)).count_params() > 0


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"filters": 0}, "filters, kernel, units and way"),
        ({"dropout": 0.5}, "dropout in 0..0.5"),
        ({"input_shape": (5, 9, 1)}, "at least 6x6"),
        ({"kernel": 5, "strided": True, "input_shape": (14, 28, 1)}, "at least 15x15"),
    ],
)
def test_wrong_sizes_are_refused(wrong, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        cnn(**wrong)
