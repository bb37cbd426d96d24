"""Texts as the weights of their tokens, whatever the order."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("tfmeta")
class Bag(keras.layers.Layer):
    """Counts the tokens of texts, and weighs each token by a trained weight above 0.

    A token that a text has n times gets 1 + log(n), times its weight.

    Args:
        tokens: The number of token numbers. Number 0 is padding, and gets 0.
        initializer: Of the weights' logarithms, of shape `(tokens, 1)`: a Keras
            initializer, or its name.
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Example:
        >>> Bag(4)(tf.constant([[2, 1, 2, 0]])).numpy().round(2)
        array([[0.  , 1.  , 1.69, 0.  ]], dtype=float32)
    """

    def __init__(self, tokens: int, *, initializer: Any = "zeros", **kwargs: Any):
        super().__init__(**kwargs)
        self.tokens = tokens
        self.initializer = keras.initializers.get(initializer)
        self.logs = self.add_weight(
            shape=(tokens, 1), initializer=self.initializer, name="logs"
        )
        self.built = True

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Weighs tokens.

        Args:
            ids: `(examples, length)` integers, from 0 to below `tokens`.

        Returns:
            `(examples, tokens)`.
        """
        shape = tf.shape(ids)
        rows = tf.repeat(tf.range(shape[0]), shape[1])
        places = tf.stack([rows, tf.cast(tf.reshape(ids, [-1]), tf.int32)], axis=1)
        ones = tf.ones([shape[0] * shape[1]], self.compute_dtype)
        counts = tf.scatter_nd(places, ones, tf.stack([shape[0], self.tokens]))
        counts = tf.ensure_shape(counts, (ids.shape[0], self.tokens))
        uses = tf.where(counts > 0, tf.math.log(tf.maximum(counts, 1)) + 1, 0)
        real = tf.cast(tf.range(self.tokens) > 0, uses.dtype)
        logs = ops.convert_to_tensor(self.logs, uses.dtype)
        return uses * (real * tf.exp(logs[:, 0]))

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        """The shape and dtype of what `call` returns."""
        return keras.KerasTensor((ids.shape[0], self.tokens), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        first = keras.initializers.serialize(self.initializer)
        arguments = {"tokens": self.tokens, "initializer": first}
        return {**super().get_config(), **arguments}
