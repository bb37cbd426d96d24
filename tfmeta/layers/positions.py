"""The places of tokens, as numbers that are added to their vectors."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("tfmeta")
class Positions(keras.layers.Layer):
    """Adds sines and cosines of a token's place to its vector.

    The numbers are the same for each text and are not trained, so the place of a token
    counts from the beginning, however much padding follows.

    Args:
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Reference:
        A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.5.
        Differs from the paper: the sines come first, then the cosines.

    Example:
        >>> Positions()(tf.zeros((1, 3, 4))).numpy()[0, 2].round(2)
        array([ 0.91,  0.02, -0.42,  1.  ], dtype=float32)
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Adds the numbers to vectors, `(examples, length, width)`."""
        length, width = x.shape[1:]
        rates = 10_000.0 ** (-2 * np.arange((width + 1) // 2) / width)
        angles = np.arange(length)[:, np.newaxis] * rates
        waves = np.concatenate([np.sin(angles), np.cos(angles)], 1)[:, :width]
        return x + tf.constant(waves, x.dtype)

    def compute_output_spec(self, x: Any) -> keras.KerasTensor:
        """The shape and dtype of what `call` returns, those of `x`."""
        return keras.KerasTensor(x.shape, x.dtype)
