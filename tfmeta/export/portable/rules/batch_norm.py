"""Fused batch normalisation and its gradient."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.export.portable.unportable import Unportable, layer_of

_IMAGES = (0, 1, 2)  # The axes of (examples, height, width, channels) without channels.


def forward(
    op: tf.Operation, x: Any, scale: Any, offset: Any, mean: Any, variance: Any
) -> tuple[Any, ...]:
    """`FusedBatchNormV3`.

    In training, the second and third output are the batch's mean and its variance as
    an estimate, divided by one less than the count. Those that TensorFlow keeps for the
    gradient are, here, the mean and the variance that were used; `backward` takes them
    so.
    """
    mean, variance, told = _statistics(op, x, mean, variance)
    factor = scale * tf.math.rsqrt(variance + op.get_attr("epsilon"))
    y = (x - mean) * factor + offset
    return y, mean, told, mean, variance, variance


def forward_by_given(
    op: tf.Operation, x: Any, scale: Any, offset: Any, mean: Any, variance: Any
) -> tuple[Any, ...]:
    """As `forward`, where runtimes can normalise by a given mean and variance."""
    mean, variance, told = _statistics(op, x, mean, variance)
    y, *_ = tf.compat.v1.nn.fused_batch_norm(
        x, scale, offset, mean, variance, op.get_attr("epsilon"), is_training=False
    )
    return y, mean, told, mean, variance, variance


def _statistics(op: tf.Operation, x: Any, mean: Any, variance: Any) -> tuple[Any, ...]:
    """Mean and variance to normalise by, and the variance that is told."""
    _check(op)
    if not op.get_attr("is_training"):
        return mean, variance, variance
    mean = tf.reduce_mean(x, _IMAGES)
    variance = tf.reduce_mean(tf.square(x - mean), _IMAGES)
    count = _count(x)
    return mean, variance, variance * (count / tf.maximum(count - 1, 1))


def _check(op: tf.Operation) -> None:
    if op.get_attr("data_format") != b"NHWC":
        raise Unportable(f"{op.type} of {layer_of(op)} has its channels before pixels")
    names = op.node_def.attr
    if "exponential_avg_factor" in names and op.get_attr("exponential_avg_factor") != 1:
        raise Unportable(f"{op.type} of {layer_of(op)} averages over time")


def _count(x: Any) -> Any:
    """The number of entries of each channel."""
    return tf.cast(tf.reduce_prod(tf.shape(x)[:3]), x.dtype)


def backward(
    op: tf.Operation, dy: Any, x: Any, scale: Any, mean: Any, variance: Any, _: Any
) -> tuple[Any, ...]:
    """`FusedBatchNormGradV3`, of the three first outputs."""
    _check(op)
    inverse = tf.math.rsqrt(variance + op.get_attr("epsilon"))
    normed = (x - mean) * inverse
    dscale, doffset = (tf.reduce_sum(t, _IMAGES) for t in (dy * normed, dy))
    if not op.get_attr("is_training"):
        return dy * (scale * inverse), dscale, doffset
    count = _count(x)
    dx = scale * inverse * (dy - doffset / count - normed * (dscale / count))
    return dx, dscale, doffset


BATCH_NORM = {"FusedBatchNormV3": forward, "FusedBatchNormGradV3": backward}
BY_GIVEN = {**BATCH_NORM, "FusedBatchNormV3": forward_by_given}
