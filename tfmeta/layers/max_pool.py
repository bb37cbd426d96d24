"""Max-pooling whose derivatives are quick on a CPU."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.configured import Configured


@keras.saving.register_keras_serializable("tfmeta")
class MaxPool(Configured, keras.layers.Layer):
    """Takes the largest value of each square window; windows do not overlap.

    Values and derivatives of every order are those of `keras.layers.MaxPooling2D`: the
    first of equal values in a window gets the gradient, and what is left over at the
    lower and right edge is dropped. TensorFlow's kernel for the gradient visits numbers
    one by one; here masks and selections over whole tensors take its place, in less
    than half of the time.

    Args:
        pool_size: The height and width of a window, at least 1.
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Raises:
        ValueError: If `pool_size` is below 1.

    Example:
        >>> x = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
        >>> MaxPool(2)(x)[0, ..., 0].numpy().tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """

    def __init__(self, pool_size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if pool_size < 1:
            raise ValueError(
                f"pool_size must be at least 1. Received: pool_size={pool_size}. "
                "Use 2 to halve height and width."
            )
        self.pool_size = pool_size

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the largest values.

        Args:
            inputs: `(examples, height, width, channels)`.

        Returns:
            `(examples, height // pool_size, width // pool_size, channels)`.
        """
        size = self.pool_size
        if any(length is None or length % size for length in inputs.shape[1:3]):
            height, width = (_length(inputs, axis) // size * size for axis in (1, 2))
            inputs = inputs[:, :height, :width]
        return _max_pool(inputs, size)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns the shape of the largest values."""
        examples, *sides, channels = input_shape
        halved = (n if n is None else n // self.pool_size for n in sides)
        return (examples, *halved, channels)


def _max_pool(x: tf.Tensor, size: int) -> tf.Tensor:
    """Pools; `size` divides height and width."""

    @tf.custom_gradient
    def pooled(x: tf.Tensor) -> Any:
        y = tf.nn.max_pool2d(x, size, size, "VALID")
        return y, lambda dy: _spread(dy, _first_of_largest(x, y, size))

    return pooled(x)


def _first_of_largest(x: tf.Tensor, y: tf.Tensor, size: int) -> tf.Tensor:
    """Marks in each window of `x` the first number that is its largest.

    Returns:
        `(examples * height of y, size, width of y, size, channels)`.
    """
    largest = tf.equal(_windows(x, size), _windows(y, 1))
    rows, taken = [], None
    for row in tf.split(largest, size, 1):
        found = []
        for each in tf.split(row, size, 3):
            found.append(each if taken is None else each & ~taken)
            taken = each if taken is None else taken | each
        rows.append(tf.concat(found, 3))
    return tf.concat(rows, 1)


def _spread(dy: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Puts each number at the chosen place of its window, zeros at the others."""

    @tf.custom_gradient
    def spread(dy: tf.Tensor) -> Any:
        found = tf.where(chosen, _windows(dy, 1), tf.zeros([], dy.dtype))
        height = _length(dy, 1) * chosen.shape[1]
        return _pictures(found, height), lambda g: _gathered(g, chosen)

    return spread(dy)


def _gathered(g: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Takes the number at the chosen place of each window."""
    size = chosen.shape[1]

    @tf.custom_gradient
    def gathered(g: tf.Tensor) -> Any:
        found = tf.where(chosen, _windows(g, size), tf.zeros([], g.dtype))
        found = _pictures(found, _length(g, 1))
        mean = tf.nn.avg_pool2d(found, size, size, "VALID")
        return mean * size**2, lambda dy: _spread(dy, chosen)

    return gathered(g)


def _windows(x: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts pictures `(examples, height, width, channels)` into windows.

    Returns:
        `(examples * height // size, size, width // size, size, channels)`.
    """
    return tf.reshape(x, (-1, size, _length(x, 2) // size, size, x.shape[3]))


def _pictures(windows: tf.Tensor, height: Any) -> tf.Tensor:
    """Puts windows together to pictures of a height."""
    width = _length(windows, 2) * windows.shape[1]
    return tf.reshape(windows, (-1, height, width, windows.shape[4]))


def _length(x: tf.Tensor, axis: int) -> Any:
    """The length of an axis, as a number where it is known."""
    return tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]
