"""Each op against NumPy written the dumb way, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta import ops

# Unequal classes; class 1 and class 4 are absent.
LABELS = np.array([3, 0, 0, 2, 3, 3, 0], "int32")
WAY = 5


def rows(n: int, features: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, features))


def test_count_ways() -> None:
    assert ops.count_ways(tf.constant(LABELS)).numpy() == 4


@pytest.mark.parametrize("way", [WAY, tf.constant(WAY)])
def test_present_classes(way) -> None:
    present = ops.present_classes(tf.constant(LABELS), way)
    assert present.numpy().tolist() == [True, False, True, True, False]


@pytest.mark.parametrize("way", [WAY, tf.constant(WAY)])
def test_class_means(way) -> None:
    z = rows(7)
    means = ops.class_means(tf.constant(z), tf.constant(LABELS), way)
    assert means.dtype == tf.float64
    for c in range(WAY):
        members = [z[i] for i in range(7) if LABELS[i] == c]
        expected = sum(members) / len(members) if members else np.zeros(3)
        np.testing.assert_allclose(means[c], expected, rtol=1e-14)


def test_squared_euclidean() -> None:
    a, b = rows(5), rows(4, seed=1)
    got = ops.squared_euclidean(tf.constant(a), tf.constant(b))
    expected = [[sum((p - q) ** 2) for q in b] for p in a]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_cosine_similarity() -> None:
    a, b = rows(5), rows(4, seed=1)
    a[2] = 0
    got = ops.cosine_similarity(tf.constant(a), tf.constant(b), epsilon=1e-16)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            expected = p @ q / np.sqrt(p @ p) / np.sqrt(q @ q) if i != 2 else 0
            np.testing.assert_allclose(got[i, j], expected, rtol=1e-12)


def test_cross_entropy_is_the_mean_in_nats() -> None:
    logits, y = rows(7, 4), LABELS
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = np.mean([-np.log(chances[i, y[i]]) for i in range(7)])
    got = ops.task_loss(tf.constant(logits), tf.constant(y))
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_cross_entropy_and_its_gradient_bear_absent_classes() -> None:
    y = tf.constant([0, 2])
    finite = tf.constant(rows(2, 2))
    with tf.GradientTape() as tape:
        tape.watch(finite)
        absent = tf.fill([2, 1], tf.constant(-np.inf, tf.float64))
        logits = tf.concat([finite[:, :1], absent, finite[:, 1:]], 1)
        loss = ops.task_loss(logits, y)
    np.testing.assert_allclose(loss, ops.task_loss(finite, tf.constant([0, 1])))
    assert np.isfinite(tape.gradient(loss, finite)).all()


def test_squared_error_is_the_mean() -> None:
    a, b = rows(5), rows(5, seed=1)
    got = ops.task_loss(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(got, sum((a - b).ravel() ** 2) / 15, rtol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (1, 1)])
def test_targets_are_not_broadcast(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape of the predictions"):
        ops.task_loss(tf.constant(rows(5, 1)), tf.zeros(shape, tf.float64))


def test_correct() -> None:
    logits = tf.constant([[[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [0.0, -np.inf]]])
    y = tf.constant([[1, 1], [1, 0]])
    assert ops.correct(logits, y).numpy().tolist() == [[1.0, 0.0], [1.0, 1.0]]
