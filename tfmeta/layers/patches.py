"""What each output of a convolution sees of its input, and the moments of that."""

from __future__ import annotations

import tensorflow as tf


def patches(
    x: tf.Tensor, size: tuple[int, int], strides: tuple[int, int], padding: str
) -> tuple[tf.Tensor, tuple[int, int]]:
    """Returns the patches that a convolution multiplies by its kernel.

    With the kernel as a matrix, `(rows * columns * channels, filters)`, the convolution
    is `tf.matmul(patches, kernel, transpose_a=True)`.

    Args:
        x: `(examples, height, width, channels)`; all but the examples are known.
        size: The rows and columns of the kernel.
        strides: The strides of the convolution along height and width.
        padding: "same" or "valid", as Keras has them.

    Returns:
        A matrix `(rows * columns * channels, examples * positions)`, and the height and
        width of the convolution's output.
    """
    channels = x.shape[-1]
    sides = [
        _side(*each, padding) for each in zip(x.shape[1:3], size, strides, strict=True)
    ]
    (_, high, tall), (_, wide, long) = sides
    x = tf.pad(x, [[0, 0], *(pads for pads, _, _ in sides), [0, 0]])[:, :tall, :long]
    # Positions that are a stride apart become neighbours, so that slices are dense.
    down, right = strides
    x = tf.reshape(x, (-1, tall // down, down, long // right, right, channels))
    phases = [
        tf.unstack(row) for row in tf.unstack(tf.transpose(x, (2, 4, 5, 0, 1, 3)))
    ]
    seen = [
        tf.slice(
            phases[row % down][column % right],
            (0, 0, row // down, column // right),
            (-1, -1, high, wide),
        )
        for row in range(size[0])
        for column in range(size[1])
    ]
    return tf.reshape(tf.stack(seen), (len(seen) * channels, -1)), (high, wide)


def _side(
    length: int, size: int, stride: int, padding: str
) -> tuple[tuple[int, int], int, int]:
    """Returns a side's padding, the output's length, and the length that is read."""
    if padding == "same":
        found = -(-length // stride)
        before = max(stride * (found - 1) + size - length, 0) // 2
    else:
        found, before = (length - size) // stride + 1, 0
    read = stride * ((size - 1) // stride + found)
    return (before, max(read - length - before, 0)), found, read


def patch_moments(seen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean `(numbers, 1)` and the covariance `(numbers, numbers)`.

    Args:
        seen: The patches, `(numbers, examples * positions)`.
    """
    mean = tf.reduce_mean(seen, 1, keepdims=True)
    centred = seen - mean
    count = tf.cast(tf.shape(seen)[1], seen.dtype)
    return mean, tf.matmul(centred, centred, transpose_b=True) / count
