"""The perceptron's shapes, sizes and errors."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.nets import mlp


def test_the_sinusoid_net() -> None:
    net = mlp(outputs=1)
    # 1*40+40, 40*40+40, 40*1+1.
    assert net.count_params() == 80 + 1640 + 41
    assert net.layers[-1].name == "head"
    kernels = net.get_weights()
    x = np.array([[0.3], [-2.0]], "float32")
    hidden = np.maximum(x @ kernels[0] + kernels[1], 0)
    hidden = np.maximum(hidden @ kernels[2] + kernels[3], 0)
    np.testing.assert_allclose(net(x), hidden @ kernels[4] + kernels[5], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (None, 40)),
        ({"outputs": 5, "units": (), "input_shape": (7,)}, (None, 5)),
        ({"outputs": 3, "units": (6,), "input_shape": (4, 4, 1)}, (None, 3)),
    ],
)
def test_output_shape(options: dict, shape: tuple) -> None:
    assert mlp(**options).output_shape == shape


@pytest.mark.parametrize("options", [{"units": ()}, {"outputs": 0}, {"units": (4, 0)}])
def test_bad_sizes_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        mlp(**options)
