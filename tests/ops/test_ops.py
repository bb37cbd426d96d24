"""Each op against NumPy written the dumb way, in float64."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfmeta import ops

# Unequal classes; class 1 and class 4 are absent.
LABELS = np.array([3, 0, 0, 2, 3, 3, 0], "int32")
WAY = 5


def rows(n: int, features: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, features))


def test_every_op_is_compared_here() -> None:
    source = pathlib.Path(__file__).read_text(encoding="utf-8")
    missing = [name for name in ops.__all__ if f"ops.{name}(" not in source]
    assert not missing


@pytest.mark.parametrize("labels", [LABELS, LABELS[1:3], LABELS[:1]])
def test_count_ways(labels) -> None:
    way = ops.count_ways(tf.constant(labels))
    assert way.dtype == tf.int32 and way.numpy() == 1 + max(labels)


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


@pytest.mark.parametrize("features", [1, 3, 11])
def test_squared_euclidean(features: int) -> None:
    a, b = rows(5, features), rows(4, features, seed=1)
    got = ops.squared_euclidean(tf.constant(a), tf.constant(b))
    assert got.dtype == tf.float64
    expected = [[sum((p - q) ** 2) for q in b] for p in a]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("features", [1, 3, 11])
def test_cosine_similarity(features: int) -> None:
    a, b = rows(5, features), 1e-3 * rows(4, features, seed=1)
    a[2] = 0
    got = ops.cosine_similarity(tf.constant(a), tf.constant(b))
    assert got.dtype == tf.float64 and got.shape == (5, 4)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            lengths = np.sqrt(sum(p * p) * sum(q * q))
            expected = sum(p * q) / lengths if i != 2 else 0
            np.testing.assert_allclose(got[i, j], expected, rtol=1e-12)


@pytest.mark.parametrize("way", [WAY, tf.constant(WAY)])
def test_class_counts_and_sums(way) -> None:
    z = rows(7)
    counts = ops.class_counts(tf.constant(LABELS), way)
    assert counts.numpy().tolist() == [3, 0, 1, 3, 0]
    sums = ops.class_sums(tf.constant(z), tf.constant(LABELS), way)
    for c in range(WAY):
        expected = sum((z[i] for i in range(7) if LABELS[i] == c), np.zeros(3))
        np.testing.assert_allclose(sums[c], expected, rtol=1e-14)


def test_class_maxima() -> None:
    scores = rows(4, 7)
    got = ops.class_maxima(tf.constant(scores), tf.constant(LABELS), WAY).numpy()
    for c in (0, 2, 3):
        members = [i for i in range(7) if LABELS[i] == c]
        for row in range(4):
            assert got[row, c] == max(scores[row, i] for i in members)
    assert (got[:, [1, 4]] < -1e300).all()


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_class_logsumexp(scale: float) -> None:
    scores = scale * rows(4, 7)
    got = ops.class_logsumexp(tf.constant(scores), tf.constant(LABELS), WAY).numpy()
    for c in (0, 2, 3):
        members = [i for i in range(7) if LABELS[i] == c]
        for row in range(4):
            top = max(scores[row, i] for i in members)
            rest = sum(np.exp(scores[row, i] - top) for i in members)
            np.testing.assert_allclose(got[row, c], top + np.log(rest), rtol=1e-12)


def test_class_logsumexp_has_a_derivative_with_absent_and_single_classes() -> None:
    scores = tf.constant(rows(4, 7))
    with tf.GradientTape() as tape:
        tape.watch(scores)
        got = ops.class_logsumexp(scores, tf.constant(LABELS), WAY)
        total = tf.reduce_sum(tf.where([True, False, True, True, False], got, 0))
    gradient = tape.gradient(total, scores).numpy()
    for c in (0, 2, 3):
        members = [i for i in range(7) if LABELS[i] == c]
        shares = np.exp(scores.numpy()[:, members])
        shares /= shares.sum(1, keepdims=True)
        np.testing.assert_allclose(gradient[:, members], shares, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_example_shares(scale: float) -> None:
    logits, closeness = rows(4, WAY), scale * rows(4, 7, seed=1)
    logits[:, [1, 4]] = -np.inf
    got = ops.example_shares(
        tf.constant(logits), tf.constant(closeness), tf.constant(LABELS)
    ).numpy()
    assert got.dtype == np.float64
    for row in range(4):
        likely = np.exp(logits[row]) / np.exp(logits[row]).sum()
        for c in (0, 2, 3):
            members = [i for i in range(7) if LABELS[i] == c]
            top = max(closeness[row, i] for i in members)
            near = [np.exp(closeness[row, i] - top) for i in members]
            for i, share in zip(members, near, strict=True):
                expected = likely[c] * share / sum(near)
                np.testing.assert_allclose(got[row, i], expected, rtol=1e-11)
    np.testing.assert_allclose(got.sum(1), 1, rtol=1e-12)


def test_masked() -> None:
    got = ops.masked(tf.constant(rows(2)), tf.constant([True, False, True])).numpy()
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got[:, [0, 2]], rows(2)[:, [0, 2]])
    assert np.isneginf(got[:, 1]).all()
