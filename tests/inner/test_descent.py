"""Gradient steps on copies of a net's weights."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfmeta import Examples, Options
from tfmeta.learners import MAML


def test_a_trajectory_has_the_weights_before_and_after_each_step() -> None:
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(5, 3)), draws.normal(size=(5, 2))
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    learner = MAML(net, inner_lr=0.3, targets="values")
    support = Examples(tf.constant(x, tf.float32), tf.constant(y, tf.float32))
    (path,) = learner.trajectory(support, Options(steps=3))["params"]
    kernel = np.float64(net.trainable_variables[0].numpy())
    assert path.shape == (4, 3, 2)
    for found in path:
        np.testing.assert_allclose(found, kernel, rtol=1e-5, atol=1e-6)
        # The loss is the mean of ten squares.
        kernel = kernel - 0.3 * 2 * x.T @ (x @ kernel - y) / 10
