"""Dropping whole patches of a feature map."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.configured import Configured


@keras.saving.register_keras_serializable("tfmeta")
class DropBlock(Configured, keras.layers.Layer):
    """Sets square patches of each channel to zero, in training alone.

    Neighbours in a feature map say much the same, so that dropping single values
    takes little away; whole patches leave something to be learned from the rest. What
    is kept is scaled up so that its sum over the batch stays. Where the map is
    smaller than the patch, the patch is as large as the map.

    Args:
        rate: The share of a map that is dropped, about, from 0 to below 1.
        block_size: Height and width of a patch.
        seed: The seed of the patches; None draws one.
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Raises:
        ValueError: If `rate` or `block_size` is out of range.

    Reference:
        Golnaz Ghiasi, Tsung-Yi Lin, Quoc V. Le. DropBlock: A regularization method
        for convolutional networks. NeurIPS 2018. Differs from the paper: the rate is
        fixed instead of growing during training.

    Example:
        >>> x = tf.ones((1, 4, 4, 2))
        >>> layer = DropBlock(rate=0.5, block_size=2, seed=0)
        >>> bool(tf.reduce_all(layer(x) == x))
        True
        >>> round(float(tf.reduce_sum(layer(x, training=True))), 3)
        32.0
    """

    def __init__(
        self,
        *,
        rate: float,
        block_size: int = 5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1 or block_size < 1:
            raise ValueError(
                "rate must be at least 0 and below 1, and block_size at least 1. "
                f"Received: rate={rate}, block_size={block_size}."
            )
        self.rate, self.block_size, self.seed = rate, block_size, seed
        if rate > 0:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops patches of `inputs`.

        Args:
            inputs: `(examples, height, width, channels)`, height and width known.
            training: Whether to drop anything.

        Returns:
            A tensor of the shape of `inputs`.
        """
        if not training or self.rate == 0:
            return inputs
        keep = self._keep(inputs)
        scale = tf.math.divide_no_nan(1.0, tf.reduce_mean(keep))
        return inputs * tf.cast(keep * scale, inputs.dtype)

    def _keep(self, inputs: tf.Tensor) -> tf.Tensor:
        """1 where a value stays, 0 in the patches, float32 of the inputs' shape."""
        height, width = inputs.shape[1:3]
        tall, wide = min(self.block_size, height), min(self.block_size, width)
        # A patch lies in the map as a whole; this many places its corner may have.
        rows, columns = height - tall + 1, width - wide + 1
        chance = self.rate * height * width / (tall * wide * rows * columns)
        corners = keras.random.uniform(
            (tf.shape(inputs)[0], rows, columns, inputs.shape[3]),
            dtype="float32",
            seed=self.seed_generator,
        )
        dropped = tf.cast(corners < chance, tf.float32)
        around = [[0, 0], [tall - 1] * 2, [wide - 1] * 2, [0, 0]]
        return 1 - tf.nn.max_pool2d(tf.pad(dropped, around), (tall, wide), 1, "VALID")
