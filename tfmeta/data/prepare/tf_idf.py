"""Texts as the weights of their words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from tfmeta.data.prepare.tokens import UNKNOWN, Tokens


@keras.saving.register_keras_serializable("tfmeta")
class TfIdf(keras.layers.Layer):
    """Makes of a text its different words, and how much each of them tells.

    A word that is used n times weighs 1 + log(n), times its inverse document frequency
    in the texts of meta-train; the weights of a text are then divided by their
    Euclidean length. It is scikit-learn's `TfidfVectorizer(sublinear_tf=True)`.

    Words that meta-train does not have weigh nothing; or, with buckets, as a word that
    is in no text of meta-train.

    Args:
        vocabulary: The number of words that are told apart, see `Tokens`.
        length: The number of words of a text that are read.
        buckets: How many numbers the words share that meta-train does not have.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Example:
        >>> layer = TfIdf(vocabulary=9, length=5)
        >>> layer.learn([["owl owl tit"]])
        >>> made = layer(tf.constant(["tit owl jay tit"]))
        >>> made["ids"].numpy().tolist(), made["values"].numpy().round(3)
        ([[0, 1, 2, 3, 0]], array([[0.   , 0.   , 0.509, 0.861, 0.   ]], dtype=float32))
    """

    def __init__(
        self, *, vocabulary: int, length: int, buckets: int = 0, **kwargs: Any
    ):
        super().__init__(**{"trainable": False, "autocast": False, **kwargs})
        self.vocabulary, self.length, self.buckets = vocabulary, length, buckets
        self.tokens = Tokens(vocabulary=vocabulary, length=length, buckets=buckets)
        self.built = True

    @property
    def learned(self) -> bool:
        """Whether the layer knows words; see `Tokens`."""
        return self.tokens.learned

    def learn(self, chunks: Iterable[Any]) -> None:
        """Learns the words of texts, and in how many texts each is; see `Tokens`."""
        self.tokens.learn(chunks)

    def call(self, x: Any) -> dict[str, tf.Tensor]:
        """Weighs the words of texts.

        Args:
            x: Texts, `(examples,)` strings.

        Returns:
            A dict with the different words of each text, `ids` `(examples, length)`
            int32, and their weights `values` `(examples, length)` float32. Padding and
            unknown words, whose numbers are 0 and 1, have the weight 0.
        """
        ids = tf.sort(self.tokens(x), axis=1)
        examples = tf.shape(ids)[0]
        new = tf.concat([ids[:, :1] >= 0, ids[:, 1:] != ids[:, :-1]], 1)
        place = tf.cumsum(tf.cast(new, tf.int32), axis=1) - 1
        place += self.length * tf.range(examples)[:, tf.newaxis]
        flat, size = tf.reshape(place, [-1]), examples * self.length
        shape = tf.stack([examples, self.length])
        used = tf.reshape(
            tf.math.unsorted_segment_sum(tf.ones_like(flat), flat, size), shape
        )
        words = tf.math.unsorted_segment_max(tf.reshape(ids, [-1]), flat, size)
        words = tf.reshape(tf.maximum(words, 0), shape)
        uses = tf.math.log(tf.maximum(tf.cast(used, tf.float32), 1.0)) + 1.0
        values = uses * tf.gather(self._idf(), words)
        values = tf.where(words > UNKNOWN, values, 0.0)
        return {"ids": words, "values": tf.math.l2_normalize(values, axis=1)}

    def _idf(self) -> tf.Tensor:
        texts, counts = (
            tf.cast(tf.convert_to_tensor(v), tf.float32)
            for v in (self.tokens.texts, self.tokens.counts)
        )
        return tf.math.log((1.0 + texts) / (1.0 + counts)) + 1.0

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again; its words are saved beside."""
        arguments = {"vocabulary": self.vocabulary, "length": self.length}
        arguments["buckets"] = self.buckets
        return {**super().get_config(), **arguments}
