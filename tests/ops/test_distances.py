"""Distances far from the origin, cosines of extreme rows, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta import MetaModel, ops
from tfmeta.learners import NearestNeighbour


def rows(n: int, features: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, features))


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[np.sum((p - q) ** 2) for q in b] for p in a])


@pytest.mark.parametrize("absent", [0, 2])
@pytest.mark.parametrize("offset", [0.0, 1e4, -1e6])
def test_distances_are_right_far_from_the_origin(offset, absent) -> None:
    a, b = (np.float32(rows(n, 20, n) + offset) for n in (5, 6))
    b[:absent] = 0  # As the means of classes without examples are.
    got = ops.squared_euclidean(tf.constant(a), tf.constant(b)).numpy()
    expected = distances(np.float64(a), np.float64(b))
    np.testing.assert_allclose(got[:, absent:], expected[:, absent:], rtol=1e-4)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


def test_distances_of_no_rows_and_of_zero_rows() -> None:
    some = tf.constant(rows(4))
    assert ops.squared_euclidean(some[:0], some).shape == (0, 4)
    to_zero = ops.squared_euclidean(some, tf.zeros((2, 3), tf.float64))
    expected = distances(rows(4), np.zeros((2, 3)))
    np.testing.assert_allclose(to_zero, expected, rtol=1e-12)


def test_the_centre_of_large_half_precision_rows_does_not_overflow() -> None:
    a = tf.constant([[60000.0], [60032.0], [60064.0]], tf.float16)
    got = ops.squared_euclidean(a, a).numpy()
    np.testing.assert_array_equal(
        got, [[0, 1024, 4096], [1024, 0, 1024], [4096, 1024, 0]]
    )


def test_derivatives_do_not_overflow_by_way_of_the_centre() -> None:
    # 2 * 200 for each row; the centre's own derivative would be their sum, 80,000.
    a, b = (tf.fill((200, 1), tf.constant(v, tf.float16)) for v in (1200, 1000))
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        total = tf.linalg.diag_part(ops.squared_euclidean(a, b))
    for_a, for_b = tape.gradient(total, [a, b])
    np.testing.assert_array_equal(for_a, np.full((200, 1), 400))
    np.testing.assert_array_equal(for_b, np.full((200, 1), -400))


def test_the_nearest_neighbour_is_found_far_from_the_origin() -> None:
    draws = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 50)
    x = draws.normal(0, 2, (4, 8))[y] + draws.normal(size=(200, 8))
    x = np.float32(np.float32(x + 1e4) - 1e4)  # Rounded as it is far from the origin.
    accuracies = []
    for offset in (0, 1e4):
        moved = np.float32(x + offset)
        task = MetaModel(NearestNeighbour()).adapt(moved[::5], y[::5])
        accuracies.append(task.evaluate(moved, y))
    assert accuracies[0] == accuracies[1] > 0.9


def test_the_cosine_of_a_zero_row_is_zero_and_its_gradient_finite() -> None:
    for dtype in (tf.float16, tf.float32, tf.float64):
        a = tf.constant([[0.0, 0.0], [3.0, 4.0]], dtype)
        b = tf.constant([[0.0, 2.0], [0.0, 0.0]], dtype)
        with tf.GradientTape() as outer:
            outer.watch([a, b])
            with tf.GradientTape() as inner:
                inner.watch([a, b])
                got = ops.cosine_similarity(a, b)
            first = inner.gradient(got, [a, b])
            total = tf.add_n([tf.reduce_sum(g**2) for g in first])
        second = outer.gradient(total, [a, b])
        np.testing.assert_allclose(got, [[0, 0], [0.8, 0]], rtol=1e-3)
        for gradient in first + second:
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("float16", 3e4), ("float16", 1e-6), ("float32", 1e30), ("float32", 1e-30)],
)
def test_the_cosine_of_large_and_small_rows(dtype, size) -> None:
    a, b = ((size * np.clip(rows(4, 30, s), -2, 2)).astype(dtype) for s in (0, 1))
    got = ops.cosine_similarity(tf.constant(a), tf.constant(b)).numpy()
    a, b = np.float64(a), np.float64(b)
    expected = [[p @ q / np.linalg.norm(p) / np.linalg.norm(q) for q in b] for p in a]
    np.testing.assert_allclose(got, expected, atol=3e-3 if dtype == "float16" else 1e-6)


def numeric(function, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of a scalar function by central differences."""
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        high, low = (float(function(tf.constant(m))) for m in moved)
        gradient[place] = (high - low) / (2 * step)
    return gradient


@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize("op", [ops.squared_euclidean, ops.cosine_similarity])
def test_first_and_second_derivatives(op, offset) -> None:
    """The gradient of a function of both arguments, and of that gradient's square."""
    x = rows(5) + offset
    weights = tf.constant(rows(2, 3, seed=2))

    def value(both: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(weights * tf.sin(op(both[:2], both[2:])))

    def slope(both: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(both)
            total = value(both)
        return tape.gradient(total, both)

    def steepness(both: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(slope(both) ** 2)

    both = tf.constant(x)
    np.testing.assert_allclose(slope(both), numeric(value, x), rtol=1e-6, atol=1e-8)
    with tf.GradientTape() as tape:
        tape.watch(both)
        total = steepness(both)
    found = tape.gradient(total, both)
    np.testing.assert_allclose(found, numeric(steepness, x), rtol=1e-5, atol=1e-6)
