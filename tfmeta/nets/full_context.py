"""Embeddings that know the whole support set."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import keys
from tfmeta.core.configured import Configured
from tfmeta.core.episode import Tensor


@keras.saving.register_keras_serializable("tfmeta")
class FullContext(Configured, keras.layers.Layer):
    """Embeds support examples in the light of each other, and queries in theirs.

    A bidirectional LSTM runs over the support embeddings; a second LSTM reads the
    result by attention, a few times for each query. Both add to the embedding they
    are given.

    Args:
        features: The size of an embedding.
        reads: How often a query reads the support set.
        seed: The seed of the initial weights.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Reference:
        O. Vinyals et al., "Matching Networks for One Shot Learning", NeurIPS 2016,
        appendix A.
        Does not differ from the paper.
    """

    def __init__(self, features: int, *, reads: int = 5, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.features, self.reads, self.seed = features, reads, seed
        self.forwards = self._lstm("forwards", return_sequences=True)
        self.backwards = self._lstm(
            "backwards", return_sequences=True, go_backwards=True
        )
        self.reader = self._lstm("reader").cell
        for layer in (self.forwards, self.backwards):
            layer.build((1, None, features))
        self.reader.build((None, 2 * features))
        self.built = True

    def _lstm(self, purpose: str, **options: Any) -> keras.layers.LSTM:
        seeds = [keys.integer(self.seed, f"weights/{purpose}", i) for i in (0, 1)]
        return keras.layers.LSTM(
            self.features,
            kernel_initializer=keras.initializers.GlorotUniform(seeds[0]),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seeds[1]),
            dtype=self.dtype_policy,
            **options,
        )

    def support(self, z: Tensor) -> Tensor:
        """Embeds the support set.

        Args:
            z: `(examples, features)`; their order matters.

        Returns:
            `(examples, features)`.
        """
        ahead = self.forwards(z[None])[0]
        back = tf.reverse(self.backwards(z[None])[0], axis=[0])
        return z + ahead + back

    def query(self, z: Tensor, support: Tensor) -> Tensor:
        """Embeds queries.

        Args:
            z: `(queries, features)`.
            support: `(examples, features)`, what `support` returned.

        Returns:
            `(queries, features)`.
        """
        hidden = cell = tf.zeros_like(z)
        for _ in range(self.reads):
            attention = tf.nn.softmax(tf.matmul(hidden, support, transpose_b=True))
            read = tf.matmul(attention, support)
            inputs = tf.concat([z, read], axis=-1)
            out, (_, cell) = self.reader(inputs, [hidden, cell])
            hidden = out + z
        return hidden
