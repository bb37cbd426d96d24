"""Convolutions of weights that the graph computes, and gradients of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.export.portable.known import known
from tfmeta.export.portable.rules.windows import (
    Windows,
    apart,
    padded,
    taken,
    windows_of,
)
from tfmeta.export.portable.unportable import Unportable, layer_of


def weights(op: tf.Operation, x: Any, sizes: Any, dy: Any) -> Any:
    """`Conv2DBackpropFilter` as one product of matrices."""
    height, width, channels, filters = _sizes(op, sizes)
    axes = windows_of(op, x.shape[1:3], (height, width))
    _check_groups(op, x, channels)
    columns = _columns(x, axes)
    product = tf.matmul(columns, tf.reshape(dy, [-1, filters]), transpose_a=True)
    return tf.reshape(product, [height, width, channels, filters])


def _columns(x: Any, axes: tuple[Windows, Windows]) -> Any:
    """The entries of each window in a row, `(windows, entries)`."""
    x = padded(x, axes)
    _, height, width, channels = x.shape
    down, across = (
        np.add.outer(np.arange(w.count) * w.stride, np.arange(w.size) * w.dilation)
        for w in axes
    )
    # By window (row, column) and by entry (row, column) the pixel's number.
    pixels = down[:, None, :, None] * width + across[None, :, None, :]
    found = tf.gather(
        tf.reshape(x, [-1, height * width, channels]),
        tf.constant(pixels.reshape(-1), tf.int32),
        axis=1,
    )
    return tf.reshape(found, [-1, axes[0].size * axes[1].size * channels])


def strided(op: tf.Operation, x: Any, kernel: Any) -> Any:
    """`Conv2D` with a stride, of weights that the graph computes, as one product."""
    if tf.get_static_value(kernel) is not None or set(op.get_attr("strides")) == {1}:
        return NotImplemented
    sized = x.shape[1:].is_fully_defined() and kernel.shape.is_fully_defined()
    last = op.get_attr("data_format") == b"NHWC"
    if not sized or not last or x.shape[-1] != kernel.shape[2]:
        return NotImplemented
    axes = windows_of(op, x.shape[1:3], kernel.shape[:2])
    filters = kernel.shape[3]
    product = tf.matmul(_columns(x, axes), tf.reshape(kernel, [-1, filters]))
    return tf.reshape(product, [-1, *(w.count for w in axes), filters])


def pictures(op: tf.Operation, sizes: Any, kernel: Any, dy: Any) -> Any:
    """`Conv2DBackpropInput`; small runtimes have it unless windows are dilated."""
    if known(sizes)[3] not in (None, kernel.shape[2]):
        raise Unportable(f"{op.type} of {layer_of(op)} convolves groups of channels")
    plain = op.get_attr("padding") != b"EXPLICIT"
    if plain and set(op.get_attr("dilations")) == {1}:
        return NotImplemented
    axes = windows_of(op, known(sizes)[1:3], kernel.shape[:2])
    flipped = tf.transpose(tf.reverse(kernel, [0, 1]), (0, 1, 3, 2))
    return tf.raw_ops.Conv2D(
        input=_spread(op, dy, axes),
        filter=flipped,
        strides=[1, 1, 1, 1],
        dilations=[1, *(w.dilation for w in axes), 1],
        padding="VALID",
    )


def depthwise_filter(op: tf.Operation, x: Any, sizes: Any, dy: Any) -> Any:
    """`DepthwiseConv2dNativeBackpropFilter`."""
    height, width, channels, each = _sizes(op, sizes)
    axes = windows_of(op, x.shape[1:3], (height, width))
    x = padded(x, axes)
    rows, columns = (w.count for w in axes)
    dy = tf.reshape(dy, [-1, rows, columns, channels, each])
    found = [
        tf.reduce_sum(taken(x, axes, i, j)[..., tf.newaxis] * dy, (0, 1, 2))
        for i in range(height)
        for j in range(width)
    ]
    return tf.reshape(tf.stack(found), [height, width, channels, each])


def depthwise_pictures(op: tf.Operation, sizes: Any, kernel: Any, dy: Any) -> Any:
    """`DepthwiseConv2dNativeBackpropInput`."""
    height, width, channels, each = kernel.shape
    axes = windows_of(op, known(sizes)[1:3], (height, width))
    flipped = tf.reshape(
        tf.reverse(kernel, [0, 1]), [height, width, channels * each, 1]
    )
    found = tf.raw_ops.DepthwiseConv2dNative(
        input=_spread(op, dy, axes),
        filter=flipped,
        strides=[1, 1, 1, 1],
        dilations=[1, *(w.dilation for w in axes), 1],
        padding="VALID",
    )
    if each == 1:
        return found
    lengths = [w.length for w in axes]
    return tf.reduce_sum(tf.reshape(found, [-1, *lengths, channels, each]), -1)


def _spread(op: tf.Operation, dy: Any, axes: tuple[Windows, Windows]) -> Any:
    """Gradients of outputs, strides apart, padded so that pictures come out."""
    pads = [(0, 0)]
    for axis, w in enumerate(axes, start=1):
        dy = apart(dy, axis, w.stride)
        first = (w.size - 1) * w.dilation - w.before
        if first < 0:
            raise Unportable(f"{op.type} of {layer_of(op)} has padding beyond a window")
        pads.append((first, w.length - w.spread + w.before))
    return tf.pad(dy, [*pads, (0, 0)])


def _sizes(op: tf.Operation, sizes: Any) -> list[int]:
    """The four lengths of a filter."""
    found = [n for n in known(sizes) if n is not None]
    if len(found) < 4:
        raise Unportable(f"{op.type} of {layer_of(op)} has a filter of unknown size")
    return found


def _check_groups(op: tf.Operation, x: Any, channels: int) -> None:
    if x.shape[-1] != channels:
        raise Unportable(f"{op.type} of {layer_of(op)} convolves groups of channels")


CONVOLUTIONS = {
    "Conv2D": strided,
    "Conv2DBackpropFilter": weights,
    "Conv2DBackpropInput": pictures,
    "DepthwiseConv2dNativeBackpropFilter": depthwise_filter,
    "DepthwiseConv2dNativeBackpropInput": depthwise_pictures,
}
