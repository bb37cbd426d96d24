"""What inner steps see beside their support set."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfmeta.core import Examples
from tfmeta.core.normalised_net import NormalisedNet
from tfmeta.inner import GradientDescent
from tfmeta.inner.fast_weights import FastWeights


def test_every_inner_step_drops_other_units() -> None:
    """With the same mask in both steps, dropped inputs would never get a gradient."""
    net = keras.Sequential(
        [
            keras.Input((200,)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    fast = FastWeights(
        NormalisedNet(net, "running"),
        GradientDescent(learning_rate=0.1),
        head="net",
        first_order=True,
    )
    task = Examples(tf.ones((1, 200)), tf.constant([[5.0]]))
    kernels = [
        fast.adapt(task, steps=steps, training=True, seed=tf.constant(1))["params"][0]
        for steps in (1, 4)
    ]
    once, often = (int(np.sum(kernel.numpy() != 0)) for kernel in kernels)
    assert 70 < once < 130 and often > 150
