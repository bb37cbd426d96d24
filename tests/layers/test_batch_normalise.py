"""Batch normalisation's kernels and hand-written derivatives, to third order."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers.batch_normalise import batch_normalise

EPSILON = 1e-3
SHAPE = (3, 4, 5, 2)


def _plain(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    axes = list(range(x.shape.rank - 1))
    centred = x - tf.reduce_mean(x, axes)
    variance = tf.reduce_mean(tf.square(centred), axes)
    return centred / tf.sqrt(variance + EPSILON) * gamma + beta


def _ours(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    return batch_normalise(x, gamma, beta, epsilon=EPSILON)[0]


def _with_moments(moments):
    """The outputs, and the moments in them, so that derivatives reach all three."""

    def function(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        y, mean, variance = moments(x, gamma, beta)
        return y * mean + variance

    return function


@_with_moments
def _plain_moments(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
    axes = list(range(x.shape.rank - 1))
    mean = tf.reduce_mean(x, axes)
    return _plain(x, gamma, beta), mean, tf.reduce_mean(tf.square(x - mean), axes)


@_with_moments
def _our_moments(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
    return batch_normalise(x, gamma, beta, epsilon=EPSILON)


def _derivatives(function, order: int, dtype: str, shape: tuple[int, ...] = SHAPE):
    """The value of a smooth function and its directional derivatives."""
    rng = np.random.default_rng(5)
    sizes = (shape, shape[-1:], shape[-1:])
    points = [tf.constant(rng.normal(size=s), dtype) for s in sizes]
    moves = [[tf.constant(rng.normal(size=s), dtype) for s in sizes] for _ in "abc"]
    weights = tf.constant(rng.normal(size=shape), dtype)

    def value(level: int) -> tf.Tensor:
        if level == 0:
            return tf.reduce_sum(tf.sin(function(*points) + weights) * weights)
        with tf.GradientTape() as tape:
            tape.watch(points)
            inner = value(level - 1)
        grads = tape.gradient(inner, points)
        pairs = zip(grads, moves[level - 1], strict=True)
        return tf.add_n([tf.reduce_sum(g * m) for g, m in pairs])

    with tf.GradientTape() as tape:
        tape.watch(points)
        result = value(order - 1)
    return result.numpy(), [g.numpy() for g in tape.gradient(result, points)]


PAIRS = {"outputs": (_ours, _plain), "moments": (_our_moments, _plain_moments)}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("shape", [SHAPE, (7, 3)])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_equal_automatic_ones(
    order: int, shape: tuple[int, ...], pair: str
) -> None:
    ours, plain = PAIRS[pair]
    got = _derivatives(ours, order, "float64", shape)
    expected = _derivatives(plain, order, "float64", shape)
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-10)
    for a, b in zip(got[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_float32_kernels_agree_with_float64(order: int, pair: str) -> None:
    ours, plain = PAIRS[pair]
    got = _derivatives(ours, order, "float32")
    expected = _derivatives(plain, order, "float64")
    for a, b in zip(got[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (1, 2, 1, 3), (1, 1, 1, 2)])
def test_fused_moments_are_the_biased_ones(shape, compiled: bool) -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, shape).astype("float32")
    ones = tf.ones(shape[-1:])
    run = tf.function(batch_normalise, jit_compile=compiled, autograph=False)
    _, mean, variance = run(tf.constant(x), ones, ones, epsilon=EPSILON)
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-3, atol=1e-12)


def test_float32_images_run_the_fused_kernels() -> None:
    spec = tf.TensorSpec(SHAPE, tf.float32)
    channels = tf.TensorSpec(SHAPE[-1:], tf.float32)
    graph = tf.function(_ours).get_concrete_function(spec, channels, channels).graph
    assert "FusedBatchNormV3" in {op.type for op in graph.get_operations()}
