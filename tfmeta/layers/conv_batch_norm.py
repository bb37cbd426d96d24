"""A convolution and its batch normalisation, computed as one."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.configured import Configured
from tfmeta.layers.base import statistics_dtype
from tfmeta.layers.batch_norm import BatchNorm
from tfmeta.layers.patches import patch_moments, patches

# With more channels the patches outgrow what they save.
_MOST_CHANNELS = 3


@keras.saving.register_keras_serializable("tfmeta")
class ConvBatchNorm(Configured, keras.layers.Layer):
    """Convolves and normalises, as the two layers that it holds do one after the other.

    A convolution maps the patches of its input linearly, so the mean and the variance
    of its outputs follow from the mean m and the covariance S of the patches: for a
    kernel W they are m W and diag(W' S W). Normalisation then is a factor on the kernel
    and an offset, and no pass over the outputs is left, in any derivative. This pays
    where patches are small, so inputs of more than three channels, and convolutions
    with groups, dilation, a bias, an activation or a penalty on their outputs, run
    through the two layers. Values, derivatives and moving averages are the same either
    way, but for rounding; in half precision the matrix product is done in float32.

    Args:
        conv: A `keras.layers.Conv2D`. It needs no bias, which `norm` would cancel.
        norm: A `BatchNorm`, whose weights and moving averages are used and kept.
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Raises:
        ValueError: If `conv` or `norm` is another kind of layer.

    Example:
        >>> conv = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)
        >>> layer = ConvBatchNorm(conv, BatchNorm())
        >>> y = layer(tf.random.normal((2, 5, 5, 1)), training=True)
        >>> y.shape, abs(float(tf.reduce_mean(y))) < 1e-6
        (TensorShape([2, 5, 5, 4]), True)
    """

    def __init__(
        self, conv: keras.layers.Conv2D, norm: BatchNorm, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if type(conv) is not keras.layers.Conv2D or not isinstance(norm, BatchNorm):
            raise ValueError(
                "ConvBatchNorm takes a keras.layers.Conv2D and a "
                f"tfmeta.layers.BatchNorm. Received: {type(conv).__name__} and "
                f"{type(norm).__name__}. Call other layers one after the other."
            )
        self.conv = conv
        self.norm = norm

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds the two layers, unless their configs have built them already."""
        if not self.conv.built:
            self.conv.build(input_shape)
        if not self.norm.built:
            self.norm.build(self.conv.compute_output_shape(input_shape))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the normalised outputs of the convolution.

        Args:
            inputs: `(examples, height, width, channels)`; float.
            training: Whether to use, and average in, this batch's statistics.

        Returns:
            A tensor `(examples, *positions, filters)` in the compute dtype.
        """
        if not self._is_one(inputs.shape):
            return self.norm(self.conv(inputs), training=training)
        kernel = tf.convert_to_tensor(self.conv.kernel)
        dtype = statistics_dtype(inputs.dtype)
        seen, positions = patches(
            inputs, self.conv.kernel_size, self.conv.strides, self.conv.padding
        )
        # The gradients of the factor and the offset nearly cancel in the kernel's.
        seen = tf.cast(seen, dtype)
        weights = tf.cast(tf.reshape(kernel, (-1, kernel.shape[-1])), dtype)
        if self.norm.uses_batch(training):
            mean, variance = _moments(seen, weights)
            self.norm.average_in(mean, variance)
        else:
            mean, variance = self.norm.averages(dtype)
        factor, offset = self.norm.factor_and_offset(mean, variance)
        weights = tf.concat([weights * factor, offset[tf.newaxis]], 0)
        # A row of ones carries the offset, so that its gradient needs no pass either.
        seen = tf.concat([seen, tf.ones_like(seen[:1])], 0)
        outputs = tf.matmul(seen, weights, transpose_a=True)
        outputs = tf.reshape(outputs, (-1, *positions, kernel.shape[-1]))
        return tf.cast(outputs, self.compute_dtype)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns the shape of the convolution's outputs."""
        return self.conv.compute_output_shape(input_shape)

    def _is_one(self, shape: tf.TensorShape) -> bool:
        """Whether the two layers are computed as one on inputs of this shape."""
        conv = self.conv
        plain = (
            conv.data_format == "channels_last"
            and conv.groups == 1
            and set(conv.dilation_rate) == {1}
            and not conv.use_bias
            and conv.activation is keras.activations.linear
            and conv.activity_regularizer is None
            and self.norm.axis in (-1, 3)
        )
        return plain and None not in shape[1:] and shape[-1] <= _MOST_CHANNELS


def _moments(seen: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns mean and variance `(filters,)` of a linear map of patches."""
    mean, covariance = patch_moments(seen)
    variance = tf.reduce_sum(weights * tf.matmul(covariance, weights), 0)
    # Rounding may leave a variance of zero just below zero.
    return tf.matmul(mean, weights, transpose_a=True)[0], tf.maximum(variance, 0)
