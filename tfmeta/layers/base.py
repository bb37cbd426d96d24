"""What the three normalisation layers share: the affine map and its options."""

from __future__ import annotations

import abc
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.configured import Configured


class Normalisation(Configured, keras.layers.Layer, abc.ABC):
    """A layer that standardises its inputs and then scales and shifts them.

    `tf.nn.moments`, on which the stock Keras layers stand, stops the gradient
    at the mean inside the variance. That is harmless to first order and wrong
    to second, so subclasses take their statistics from `moments`, which is
    plain differentiable arithmetic.

    Args:
        epsilon: added to the variance.
        center: whether to learn an offset `beta` (starts at 0).
        scale: whether to learn a factor `gamma` (starts at 1).
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Raises:
        ValueError: if `epsilon` is not positive.
    """

    def __init__(
        self,
        *,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not epsilon > 0:
            raise ValueError(
                f"epsilon must be positive. Received: epsilon={epsilon}. "
                "Use a small number such as 1e-3."
            )
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.gamma: keras.Variable | None = None
        self.beta: keras.Variable | None = None
        # Inputs keep their precision until `call` has chosen the statistics'.
        self.autocast = False

    @abc.abstractmethod
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `inputs` standardised, scaled and shifted."""

    def add_affine(self, shape: tuple[int, ...]) -> None:
        """Creates `gamma` and `beta` of `shape`, where they are wanted."""
        if self.scale:
            self.gamma = self.add_weight(
                shape=shape, name="gamma", initializer="ones", autocast=False
            )
        if self.center:
            self.beta = self.add_weight(
                shape=shape, name="beta", initializer="zeros", autocast=False
            )

    def normalise(
        self,
        x: tf.Tensor,
        mean: tf.Tensor,
        variance: tf.Tensor,
        shape: tuple[int, ...] | None = None,
    ) -> tf.Tensor:
        """Returns `(x - mean) / sqrt(variance + epsilon) * gamma + beta`.

        Args:
            x: the inputs, in the dtype of the statistics.
            mean: broadcasts against `x`.
            variance: broadcasts against `x`.
            shape: what `gamma` and `beta` are reshaped to; None leaves them.

        Returns:
            A tensor of the shape and dtype of `x`.
        """
        factor = tf.math.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor *= _shaped(self.gamma, x.dtype, shape)
        outputs = (x - mean) * factor
        if self.beta is not None:
            outputs += _shaped(self.beta, x.dtype, shape)
        return outputs

    def factor_and_offset(
        self, mean: tf.Tensor, variance: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what `normalise` multiplies its inputs by, and what it then adds.

        Args:
            mean: `(channels,)`.
            variance: `(channels,)`.

        Returns:
            Two tensors `(channels,)`.
        """
        factor = tf.math.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor *= tf.cast(self.gamma, factor.dtype)
        offset = -mean * factor
        if self.beta is not None:
            offset += tf.cast(self.beta, factor.dtype)
        return factor, offset

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape


def statistics_dtype(dtype: tf.DType) -> tf.DType:
    """Returns `dtype`, or float32 where `dtype` is a half precision."""
    return tf.float32 if dtype.size < 4 else dtype


def moments(
    x: tf.Tensor, axes: list[int], mask: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns mean and biased variance over `axes`, dimensions kept.

    Args:
        x: the inputs.
        axes: what to average over.
        mask: booleans of the shape of `x` without its last axis; positions where
            it is False do not count. None counts all.

    Returns:
        Mean and variance, which broadcast against `x`.
    """

    def average(values: tf.Tensor) -> tf.Tensor:
        if mask is None:
            return tf.reduce_mean(values, axes, keepdims=True)
        counts = tf.broadcast_to(tf.cast(mask, x.dtype)[..., None], tf.shape(x))
        total = tf.reduce_sum(counts, axes, keepdims=True)
        return tf.reduce_sum(values * counts, axes, keepdims=True) / total

    mean = average(x)
    return mean, average(tf.square(x - mean))


def resolve_axis(axis: int, shape: tuple[int | None, ...]) -> tuple[int, int]:
    """Returns `axis` counted from the front, and its size.

    Raises:
        ValueError: if `shape` has no such axis or does not know its size.
    """
    size = shape[axis] if -len(shape) <= axis < len(shape) else None
    if size is None:
        raise ValueError(
            f"axis={axis} must name a dimension of known size. Received inputs of "
            f"shape {tuple(shape)}. Give the net an input_shape with that dimension."
        )
    return axis % len(shape), size


def _shaped(
    variable: keras.Variable, dtype: tf.DType, shape: tuple[int, ...] | None
) -> tf.Tensor:
    value = tf.cast(variable, dtype)
    return value if shape is None else tf.reshape(value, shape)
