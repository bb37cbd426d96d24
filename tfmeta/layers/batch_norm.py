"""Batch normalisation that is exact to second order."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers.base import Normalisation, moments, resolve_axis, statistics_dtype
from tfmeta.layers.batch_normalise import batch_normalise


@keras.saving.register_keras_serializable("tfmeta")
class BatchNorm(Normalisation):
    """Standardises each channel by the statistics of the batch.

    With `training=True` the statistics are those of this call's own batch, and
    gradients of any order flow through them. The moving averages start at zero
    and are kept with the total `weight` they were given, so inference divides
    by it: after one training call from the initial state, inference uses
    exactly that batch's statistics, and before any it changes nothing but the
    affine map. The state is never detached, so statistics handed from one
    call to the next carry gradients too. A layer with `trainable=False` always
    uses its moving averages, as Keras' own does.

    Args:
        momentum: what the moving averages keep at each training call, in 0..1.
        epsilon: added to the variance.
        center: whether to learn an offset `beta` (starts at 0).
        scale: whether to learn a factor `gamma` (starts at 1).
        axis: the channels; statistics are taken over all other axes.
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Raises:
        ValueError: if `momentum` is outside 0..1 (1 itself excluded), `epsilon`
            is not positive, or `axis` has no known size.

    Reference:
        Sergey Ioffe, Christian Szegedy. Batch Normalization: Accelerating Deep
        Network Training by Reducing Internal Covariate Shift. ICML 2015.
        Differs from the paper: moving averages instead of population
        statistics, unbiased by their weight; the variance is the biased one.

    Example:
        >>> layer = BatchNorm()
        >>> x = tf.constant([[1.0], [3.0]])
        >>> layer(x, training=True).numpy().round(3).tolist()
        [[-1.0], [1.0]]
        >>> layer(x, training=False).numpy().round(3).tolist()
        [[-1.0], [1.0]]
    """

    def __init__(
        self,
        *,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        axis: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(
                "momentum must be at least 0 and below 1. "
                f"Received: momentum={momentum}. Use a number such as 0.99."
            )
        self.momentum = momentum
        self.axis = axis
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the affine weights and the three moving statistics."""
        _, channels = resolve_axis(self.axis, input_shape)
        self.add_affine((channels,))
        self.moving_mean = self._add_statistic((channels,), "moving_mean")
        self.moving_variance = self._add_statistic((channels,), "moving_variance")
        self.weight = self._add_statistic((), "weight")

    def call(
        self,
        inputs: tf.Tensor,
        training: bool = False,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns normalised `inputs`.

        Args:
            inputs: any shape that has `axis`; float.
            training: whether to use, and average in, this batch's statistics.
            mask: Keras' mask of `inputs`, booleans of their shape without the last
                axis; masked positions do not count in the statistics.

        Returns:
            A tensor of the shape of `inputs` in the compute dtype.
        """
        x = tf.cast(inputs, statistics_dtype(inputs.dtype))
        axis, channels = resolve_axis(self.axis, inputs.shape)
        shape = tuple(-1 if i == axis else 1 for i in range(len(inputs.shape)))
        affine_shape = None if axis == len(shape) - 1 else shape
        if not self.uses_batch(training):
            mean, variance = (tf.reshape(s, shape) for s in self.averages(x.dtype))
            outputs = self.normalise(x, mean, variance, affine_shape)
            return tf.cast(outputs, self.compute_dtype)
        if mask is None and affine_shape is None:
            one, zero = tf.ones([channels], x.dtype), tf.zeros([channels], x.dtype)
            gamma = one if self.gamma is None else tf.cast(self.gamma, x.dtype)
            beta = zero if self.beta is None else tf.cast(self.beta, x.dtype)
            outputs, mean, variance = batch_normalise(
                x, gamma, beta, epsilon=self.epsilon
            )
        else:
            axes = [i for i in range(len(shape)) if i != axis]
            mean, variance = moments(x, axes, mask)
            outputs = self.normalise(x, mean, variance, affine_shape)
        self.average_in(mean, variance)
        return tf.cast(outputs, self.compute_dtype)

    def uses_batch(self, training: bool) -> bool:
        """Whether a call with this argument uses the statistics of its own batch."""
        return bool(training and self.trainable)

    def average_in(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Moves the averages towards the statistics of a batch.

        Args:
            mean: One number for each channel, of any shape.
            variance: The same.
        """
        for variable, batch in (
            (self.moving_mean, tf.reshape(mean, [-1])),
            (self.moving_variance, tf.reshape(variance, [-1])),
            (self.weight, tf.ones([], mean.dtype)),
        ):
            old = tf.cast(variable, mean.dtype)
            new = self.momentum * old + (1.0 - self.momentum) * batch
            variable.assign(tf.cast(new, variable.dtype))

    def averages(self, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the mean and the variance that inference uses.

        Args:
            dtype: The dtype of the two tensors `(channels,)`.
        """
        weight = tf.cast(self.weight, dtype)
        empty = tf.equal(weight, 0)
        divisor = tf.where(empty, tf.ones_like(weight), weight)
        mean = tf.cast(self.moving_mean, dtype) / divisor
        variance = tf.cast(self.moving_variance, dtype) / divisor
        return mean, variance + tf.cast(empty, dtype)

    def _add_statistic(self, shape: tuple[int, ...], name: str) -> keras.Variable:
        return self.add_weight(
            shape=shape,
            name=name,
            initializer="zeros",
            trainable=False,
            autocast=False,
        )
