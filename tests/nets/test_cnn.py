"""The small convolutional net."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.layers import check_exact
from tfmeta.nets import cnn


def naive(net, x: np.ndarray) -> np.ndarray:
    """The net without its dropout, in loops."""
    for name in ("conv1", "conv2"):
        kernel, bias = (np.array(w) for w in net.get_layer(name).get_weights())
        rows, columns = x.shape[1] - 2, x.shape[2] - 2
        out = np.zeros((len(x), rows, columns, kernel.shape[-1]))
        for i in range(rows):
            for j in range(columns):
                patch = x[:, i : i + 3, j : j + 3]
                out[:, i, j] = np.tensordot(patch, kernel, 3) + bias
        x = np.maximum(out, 0)
    rows, columns = x.shape[1] // 2, x.shape[2] // 2
    x = x[:, : 2 * rows, : 2 * columns]
    x = x.reshape(len(x), rows, 2, columns, 2, -1).max((2, 4)).reshape(len(x), -1)
    for name in ("embedding", "head"):
        kernel, bias = net.get_layer(name).get_weights()
        x = x @ kernel + bias
        x = np.maximum(x, 0) if name == "embedding" else x
    return x


def test_the_logits_are_the_naive_ones() -> None:
    net = cnn(way=3, filters=2, units=5, input_shape=(9, 8, 2))
    for layer in net.layers:  # Biases begin at zero, which would hide them.
        if layer.weights:
            layer.bias.assign(np.linspace(-0.2, 0.3, layer.bias.shape[0]))
    x = np.random.default_rng(0).normal(size=(4, 9, 8, 2)).astype("float32")
    np.testing.assert_allclose(net(x), naive(net, x), rtol=1e-4, atol=1e-5)


def test_sizes_and_layers() -> None:
    assert cnn().output_shape == (None, 128)
    assert [layer.name for layer in cnn(way=5, dropout=0.0).layers] == [
        *("images", "conv1", "conv2", "pool", "flat", "embedding", "head")
    ]
    assert cnn(way=5).get_layer("drop2").rate == 0.5
    check_exact(cnn(way=5, dropout=0.0))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"filters": 0}, "filters, units and way"),
        ({"dropout": 0.5}, "dropout in 0..0.5"),
        ({"input_shape": (5, 9, 1)}, "at least 6x6"),
    ],
)
def test_wrong_sizes_are_refused(wrong, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        cnn(**wrong)
