"""New weights are a function of the seed and the architecture."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfmeta.nets import conv4, fresh, mlp

NETS = {
    "conv4": lambda: conv4(way=3, filters=2, strided=True, input_shape=(8, 8, 1)),
    "mlp": lambda: mlp(outputs=2, units=(4, 4)),
    "dropout": lambda: keras.Sequential(
        [keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_same_seed_same_weights(name: str) -> None:
    keras.utils.set_random_seed(1)
    first = fresh(NETS[name](), seed=3).get_weights()
    keras.utils.set_random_seed(2)
    net = NETS[name]()
    net.set_weights([w + 1 for w in net.get_weights()])
    for a, b in zip(fresh(net, seed=3).get_weights(), first, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NETS)
def test_other_seed_other_weights(name: str) -> None:
    net = NETS[name]()
    first, second = (fresh(net, seed=seed).trainable_variables for seed in (0, 1))
    for a, b in zip(first, second, strict=True):
        if "kernel" in a.path:
            assert np.abs(a.numpy() - b.numpy()).min() > 0


def test_layers_of_one_shape_differ_and_the_net_given_is_left_alone() -> None:
    net = mlp(units=(4, 4, 4), input_shape=(4,))
    before = net.get_weights()
    kernels = [v.numpy() for v in fresh(net, seed=0).trainable_variables[::2]]
    assert np.abs(kernels[0] - kernels[1]).min() > 0
    assert np.abs(kernels[1] - kernels[2]).min() > 0
    for a, b in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
