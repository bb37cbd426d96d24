"""Normalisation by the batch's own statistics, fast in first and second order.

Automatic differentiation of the plain formula passes over the activations some
forty times at second order. Here the forward pass and the first derivative are
TensorFlow's fused kernels where there are any, and the derivative of the first
derivative is written out by hand, in plain operations that can themselves be
differentiated again: exact to every order.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# cuDNN's kernels take nothing smaller.
_LEAST_FUSED_EPSILON = 1.001e-5


def batch_normalise(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, and the moments.

    Mean and biased variance are taken over all axes but the last.

    Args:
        x: `(..., channels)`, float32 or float64.
        gamma: `(channels,)`.
        beta: `(channels,)`.
        epsilon: added to the variance.

    Returns:
        A tensor of the shape and dtype of `x`, and the mean and the biased variance
        `(channels,)`. Gradients of every order flow through all three; those of the
        moments cost nothing where nobody asks for them.
    """
    fused = (
        x.dtype == tf.float32 and x.shape.rank == 4 and epsilon >= _LEAST_FUSED_EPSILON
    )
    normalised, differentiated = (
        (_fused_normalised, _fused_first) if fused else (_plain_normalised, _first)
    )

    @tf.custom_gradient
    def forward(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Any:
        y, mean, variance, *saved = normalised(x, gamma, beta, epsilon)
        # The moments get their gradients below, apart from this pass.
        return (y, mean, variance), lambda dy, *_: backward(dy, x, gamma, *saved)

    @tf.custom_gradient
    def backward(
        dy: tf.Tensor, x: tf.Tensor, gamma: tf.Tensor, *saved: tf.Tensor
    ) -> Any:
        def grad(
            gx: tf.Tensor, ggamma: tf.Tensor, gbeta: tf.Tensor
        ) -> tuple[tf.Tensor | None, ...]:
            second = _second(dy, x, gamma, gx, ggamma, gbeta, epsilon)
            return (*second, *[None] * len(saved))

        return differentiated(dy, x, gamma, epsilon, *saved), grad

    y, mean, variance = forward(x, gamma, beta)
    return y, *_moments(x, mean, variance)


@tf.custom_gradient
def _moments(x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> Any:
    """Returns known moments of `x`, with gradients that flow to `x`."""

    def grad(dmean: tf.Tensor, dvariance: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        centred = x - _moments(x, mean, variance)[0]
        return (dmean + 2 * dvariance * centred) / _count(x), None, None

    return (tf.identity(mean), tf.identity(variance)), grad


def _fused_normalised(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> list[tf.Tensor]:
    """Returns the outputs, the moments, and what `_fused_first` needs of this pass."""
    empty = tf.zeros([0], x.dtype)
    y, mean, unbiased, *saved = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=gamma,
        offset=beta,
        mean=empty,
        variance=empty,
        epsilon=epsilon,
        is_training=True,
    )
    count = _count(x)
    return [y, mean, unbiased * (count - 1) / count, *saved]


def _fused_first(
    dy: tf.Tensor, x: tf.Tensor, gamma: tf.Tensor, epsilon: float, *saved: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Returns the gradients for x, gamma and beta."""
    names = (f"reserve_space_{i}" for i in (1, 2, 3))
    gradients = tf.raw_ops.FusedBatchNormGradV3(
        y_backprop=dy,
        x=x,
        scale=gamma,
        epsilon=epsilon,
        is_training=True,
        **dict(zip(names, saved, strict=True)),
    )
    return tuple(gradients[:3])


def _plain_normalised(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> list[tf.Tensor]:
    """Returns the outputs and the moments; `_first` needs nothing more."""
    mean = _mean(x)
    centred = x - mean
    variance = _mean(tf.square(centred))
    return [centred * tf.math.rsqrt(variance + epsilon) * gamma + beta, mean, variance]


def _mean(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(x, list(range(x.shape.rank - 1)))


def _count(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), x.dtype)


def _standardise(x: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, tf.Tensor]:
    centred = x - _mean(x)
    rate = tf.math.rsqrt(_mean(tf.square(centred)) + epsilon)
    return centred * rate, rate


def _first(
    dy: tf.Tensor, x: tf.Tensor, gamma: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the gradients for x, gamma and beta."""
    standard, rate = _standardise(x, epsilon)
    a, b = _mean(dy), _mean(dy * standard)
    count = _count(x)
    return gamma * rate * (dy - a - standard * b), b * count, a * count


def _second(
    dy: tf.Tensor,
    x: tf.Tensor,
    gamma: tf.Tensor,
    gx: tf.Tensor,
    ggamma: tf.Tensor,
    gbeta: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns `_first`'s gradients for dy, x and gamma.

    With s the standardised inputs, r the rate and M the mean over the batch,
    `_first` gives dx = gamma r (dy - a - s b), so <gx, dx> = count gamma r total
    with total = M(gx dy) - M(gx) a - M(gx s) b; x acts through s and through r.
    """
    s, r = _standardise(x, epsilon)
    a, b = _mean(dy), _mean(dy * s)
    p, q, total = _mean(gx), _mean(gx * s), _mean(gx * dy)
    total -= p * a + q * b
    k = gamma * r
    for_dy = k * gx + (ggamma - k * q) * s + (gbeta - k * p)
    for_x = (
        -(k * r * b) * gx
        + r * (ggamma - k * q) * dy
        - r * (ggamma * b - 2 * k * q * b + k * total) * s
        - r * (ggamma * a - k * (p * b + q * a))
    )
    return for_dy, for_x, r * _count(x) * total
