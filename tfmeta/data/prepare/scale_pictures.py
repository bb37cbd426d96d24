"""Scales pictures, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.pictures.is_picture import is_picture


@keras.saving.register_keras_serializable("tfmeta")
class ScalePictures(keras.layers.Layer):
    """Divides pictures by 255, and leaves all else as it is.

    Pictures are uint8 `(height, width, 1 or 3)`; they become float32 in 0..1. Floats
    count as scaled already, and token ids and counts are no pictures.

    Args:
        whole: The parts of an example that stay whole numbers even if they look like
            pictures, because the net takes whole numbers there. A part is named by the
            keys on the way to it, joined by underscores; a lone array is "x".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Example:
        >>> pixels = tf.constant(255, tf.uint8, (2, 8, 8, 1))
        >>> float(tf.reduce_max(ScalePictures()(pixels)))
        1.0
    """

    def __init__(self, *, whole: Sequence[str] = (), **kwargs: Any):
        super().__init__(**{"trainable": False, "autocast": False, **kwargs})
        self.whole = tuple(whole)
        self.built = True

    def call(self, x: Any) -> Any:
        """Scales examples.

        Args:
            x: `(examples, ...)`, or a nest of such tensors.

        Returns:
            The same structure.
        """

        def scaled(name: str, leaf: tf.Tensor) -> tf.Tensor:
            if name in self.whole or not is_picture(leaf.shape[1:], leaf.dtype):
                return leaf
            # In float32 TensorFlow divides in eager mode, but multiplies by the rounded
            # inverse in graphs. By float64 the results agree to the bit.
            return tf.cast(tf.cast(leaf, tf.float64) / 255.0, tf.float32)

        leaves = named(x, "" if tf.nest.is_nested(x) else "x")
        done = [scaled(name, leaf) for name, leaf in leaves.items()]
        return tf.nest.pack_sequence_as(x, done)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "whole": list(self.whole)}
