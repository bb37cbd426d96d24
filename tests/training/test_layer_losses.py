"""Losses that layers add, and regularisers of weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import MetaModel, Options
from tfmeta.core import Episode, Examples
from tfmeta.learners import MAML, ProtoNet, Reptile
from tfmeta.training.pretrain import PretrainModel

WEIGHT, RATE, ACTIVITY = 0.7, 0.1, 1 / 32
SUPPORT = np.array([[1.0], [2.0], [-1.0]]), np.array([[2.0], [3.0], [0.5]])
QUERY = np.array([[0.5], [-2.0]]), np.array([[1.0], [-3.0]])
TRAINING = Options(training=True)


@keras.saving.register_keras_serializable("tfmeta_tests")
class AddsItsSquares(keras.layers.Layer):
    """Adds the mean of its inputs' squares, times a number, to the loss."""

    def call(self, x):
        self.add_loss(ACTIVITY * keras.ops.mean(x**2))
        return x


def line(*, own: bool = False, **options) -> keras.Model:
    """The net y = w x, in float64, whose outputs' mean square is penalised."""
    inputs = keras.Input((1,), dtype="float64")
    added = {} if own else {"activity_regularizer": keras.regularizers.L2(ACTIVITY)}
    x = keras.layers.Dense(1, use_bias=False, dtype="float64", **added, **options)(
        inputs
    )
    if own:
        x = AddsItsSquares(dtype="float64")(x)
    net = keras.Model(inputs, x)
    net.trainable_variables[0].assign([[WEIGHT]])
    return net


def task() -> Episode:
    sets = (Examples(tf.constant(x), tf.constant(y)) for x, y in (SUPPORT, QUERY))
    return Episode(*sets)


def loss(w: float, x: np.ndarray, y: np.ndarray) -> float:
    return np.mean((w * x - y) ** 2) + ACTIVITY * np.mean((w * x) ** 2)


def slope(w: float, x: np.ndarray, y: np.ndarray) -> float:
    return np.mean(2 * (w * x - y) * x) + 2 * ACTIVITY * w * np.mean(x**2)


def adapted(w: float, steps: int) -> float:
    for _ in range(steps):
        w -= RATE * slope(w, *SUPPORT)
    return w


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("steps", [1, 7])
def test_they_count_in_the_inner_and_in_the_outer_loss(own: bool, steps: int) -> None:
    learner = MAML(line(own=own), inner_steps=steps, inner_lr=RATE, targets="values")
    got = learner.adapt(task().support, TRAINING)["params"][0]
    np.testing.assert_allclose(got, [[adapted(WEIGHT, steps)]], rtol=1e-12)
    run = tf.function(lambda: learner.meta_gradients(task(), TRAINING))
    value, _, (gradient,) = run()
    after = adapted(WEIGHT, steps)
    np.testing.assert_allclose(value, loss(after, *QUERY), rtol=1e-12)
    # The curvature of the inner loss is a constant: d after / d before follows.
    x = SUPPORT[0]
    curvature = 2 * np.mean(x**2) + 2 * ACTIVITY * np.mean(x**2)
    exact = slope(after, *QUERY) * (1 - RATE * curvature) ** steps
    np.testing.assert_allclose(gradient, [[exact]], rtol=1e-10)


def test_learners_that_embed_count_support_and_queries() -> None:
    learner = ProtoNet(line())
    y = [tf.constant([0, 1, 1]), tf.constant([0, 1])]
    episode = Episode(*(s._replace(y=y) for s, y in zip(task(), y, strict=True)))
    value, _ = learner.loss(episode, TRAINING)
    z, q = WEIGHT * SUPPORT[0][:, 0], WEIGHT * QUERY[0][:, 0]
    logits = -((q[:, None] - np.array([z[0], (z[1] + z[2]) / 2])) ** 2)
    picked = np.exp(logits[[0, 1], [0, 1]]) / np.exp(logits).sum(-1)
    penalty = ACTIVITY * (np.mean(z**2) + np.mean(q**2))
    np.testing.assert_allclose(value, -np.log(picked).mean() + penalty, rtol=1e-12)


def test_weights_are_regularised_once_an_outer_step() -> None:
    net = line(kernel_regularizer=keras.regularizers.L2(0.25))
    learner = MAML(net, inner_lr=RATE, targets="values")
    got = learner.adapt(task().support, TRAINING)["params"][0]
    np.testing.assert_allclose(got, [[adapted(WEIGHT, 1)]], rtol=1e-12)
    _, _, (gradient,) = learner.meta_gradients(task(), TRAINING)
    model = MetaModel(learner, task_map="loop")
    model.compile(keras.optimizers.SGD(0.5))
    batch = tf.nest.map_structure(lambda t: tf.stack([t, t]), task())
    x = {"support_x": batch.support.x, "support_y": batch.support.y}
    model.meta_step(({**x, "query_x": batch.query.x}, batch.query.y))
    step = gradient.numpy() + 2 * 0.25 * WEIGHT
    np.testing.assert_allclose(net.trainable_variables[0], WEIGHT - 0.5 * step)


def test_pretraining_counts_all_of_them() -> None:
    net = line(kernel_regularizer=keras.regularizers.L2(0.25))
    model = PretrainModel(MAML(net, targets="values"), None)
    model.compile("sgd")
    logs = model.step(tuple(map(tf.constant, SUPPORT)))
    whole = loss(WEIGHT, *SUPPORT) + 0.25 * WEIGHT**2
    np.testing.assert_allclose(logs["task_losses"], [whole], rtol=1e-6)


def test_reptile_refuses_what_would_swamp_its_displacement() -> None:
    net = line(kernel_regularizer=keras.regularizers.L2(0.25))
    with pytest.raises(
        ValueError, match="without regularisers of weights.*weight_decay"
    ):
        Reptile(net, targets="values")
    inner = Reptile(line(), inner_steps=1, inner_batch=None, targets="values")
    (moved,) = inner.meta_gradients(task(), TRAINING)[2]
    slope_ = slope(WEIGHT, *SUPPORT)
    np.testing.assert_allclose(moved, [[0.001 * np.sign(slope_)]], rtol=1e-6)
