"""Texts as numbers of words."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

VOCABULARY, LENGTH = 20_000, 128
PADDING, UNKNOWN = 0, 1
_FIRST = 2  # The number of the most frequent word.
# What stands between words.
_BETWEEN = r"[^\p{L}\p{M}\p{N}_]+"


@keras.saving.register_keras_serializable("tfmeta")
class Tokens(keras.layers.Layer):
    """Numbers the words of texts, and knows in how many texts each word is.

    A word is a run of letters, digits and underscores, in lower case. The words of
    meta-train are numbered from 2, the most frequent first; every other word is number
    1, and number 0 stands after the last word of a text. The layer must learn the
    words, see `learn`; a `Source` lets it learn from its train part alone.

    Args:
        vocabulary: The number of numbers: of the words that are known, of 0 and 1, and
            of the buckets.
        length: The number of words of a text that are read; those after them are cut
            off.
        buckets: How many numbers words share that are not known, in place of number
            1: the last ones of `vocabulary`. The letters of a word decide which of them
            it has, so that two uses of it have the same.
        prefixes: Numbers of letters. The first so many letters of each word are counted
            as a word too, written "owl*", unless the word has no more than these.
            Related words, as owl and owls, so have something in common. The order of
            the words is then lost.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If `length` or a prefix is below 1, `buckets` is below 0, or
            `vocabulary` leaves no number for a word.

    Example:
        >>> layer = Tokens(vocabulary=5, length=4)
        >>> layer.learn([["The owl hoots.", "The owl!"]])
        >>> layer(tf.constant(["Owl, the heron"])).numpy().tolist()
        [[2, 3, 1, 0]]
        >>> layer.words
        ('owl', 'the', 'hoots')
    """

    def __init__(
        self,
        *,
        vocabulary: int = VOCABULARY,
        length: int = LENGTH,
        buckets: int = 0,
        prefixes: Sequence[int] = (),
        **kwargs: Any,
    ):
        super().__init__(**{"trainable": False, "autocast": False, **kwargs})
        for name, value, least in (
            ("buckets", buckets, 0),
            ("vocabulary", vocabulary, _FIRST + 1 + buckets),
            ("length", length, 1),
            ("each of prefixes", min(prefixes, default=1), 1),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}. Received: {value}.")
        self.vocabulary, self.length = vocabulary, length
        self.buckets, self.prefixes = buckets, tuple(prefixes)
        self.lookup = keras.layers.TextVectorization(
            max_tokens=vocabulary - buckets, standardize=None, split=None
        )
        options: dict[str, Any] = {
            "initializer": "zeros",
            "dtype": "int32",
            "trainable": False,
        }
        self.texts = self.add_weight(shape=(), name="texts", **options)
        self.counts = self.add_weight(shape=(vocabulary,), name="counts", **options)
        self.built = True

    @property
    def learned(self) -> bool:
        """Whether the layer knows words."""
        return int(self.texts) > 0

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are known, from number 2 on."""
        known = self.lookup.get_vocabulary(include_special_tokens=False)
        return tuple(map(str, known))

    @property
    def idf(self) -> np.ndarray:
        """The inverse document frequency of each number, `(vocabulary,)` float32.

        It is `log((1 + texts) / (1 + texts with the word)) + 1`, as in scikit-learn,
        over the texts that the layer learned from; 0 for padding. The number 1 counts
        as one word.
        """
        texts, counts = (
            keras.ops.convert_to_numpy(v).astype(np.float64)
            for v in (self.texts, self.counts)
        )
        found = np.log((1 + texts) / (1 + counts)) + 1
        found[PADDING] = 0
        return found.astype(np.float32)

    @property
    def net_arguments(self) -> dict[str, Any]:
        """What a net must know of the numbers: its arguments by name."""
        return {"vocabulary": self.vocabulary, "length": self.width, "idf": self.idf}

    @property
    def width(self) -> int:
        """The number of numbers that a text becomes, padding included."""
        return self.length * (1 + len(self.prefixes))

    def learn(self, chunks: Iterable[Any]) -> None:
        """Learns the words of texts, and in how many texts each is.

        Args:
            chunks: Sets of texts, `(some,)` each. If there is none, nothing is learned.

        Raises:
            ValueError: If the texts have no word.
        """
        uses: collections.Counter[bytes] = collections.Counter()
        holders: list[set[bytes]] = []
        for chunk in chunks:
            words = self._read(_words(tf.convert_to_tensor(chunk)))
            every = words.values.numpy().tolist()
            ends = np.cumsum(words.row_lengths().numpy()).tolist()
            uses.update(every)
            starts = [0, *ends]
            holders += [set(every[i:j]) for i, j in zip(starts, ends, strict=False)]
        if not holders:
            return
        if not uses:
            raise ValueError(
                "The texts of meta-train must have words, which are runs of letters "
                "and digits. Received: none. Give another layer as prepare."
            )
        ranked = sorted(uses, key=lambda word: (-uses[word], word))
        known = ranked[: self.vocabulary - self.buckets - _FIRST]
        self.lookup.set_vocabulary([word.decode("utf-8") for word in known])
        ids = self._numbers(tf.constant(ranked)).numpy().tolist()
        number = dict(zip(ranked, ids, strict=True))
        counts = np.zeros(self.vocabulary, np.int32)
        for held in holders:
            counts[list({number[word] for word in held})] += 1
        self.counts.assign(counts)
        self.texts.assign(len(holders))

    def call(self, x: Any) -> tf.Tensor:
        """Numbers the words of texts.

        Args:
            x: Texts, `(examples,)` strings.

        Returns:
            `(examples, width)` int32; `width` is `length` without prefixes.

        Raises:
            ValueError: If the layer has learned no words.
        """
        if tf.executing_eagerly() and not self.learned:
            raise ValueError(
                "Tokens knows no words yet. Let it learn those of the training texts, "
                "by learn([texts]), or give it to a source."
            )
        tokens = self._read(_words(x)[:, : self.length])
        ids = tokens.with_values(self._numbers(tokens.values))
        return ids.to_tensor(PADDING, shape=(None, self.width))

    def _read(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """The words of texts, and after each the prefixes of it."""
        if not self.prefixes:
            return words
        each, letters = words.values, {"unit": "UTF8_CHAR"}
        size = tf.strings.length(each, **letters)
        columns, there = [each], [tf.ones_like(each, tf.bool)]
        for prefix in self.prefixes:
            columns.append(tf.strings.substr(each, 0, prefix, **letters) + "*")
            there.append(size > prefix)
        kept = tf.ragged.boolean_mask(tf.stack(columns, 1), tf.stack(there, 1))
        return words.with_values(kept).merge_dims(1, 2)

    def _numbers(self, words: tf.Tensor) -> tf.Tensor:
        """The numbers of words, `(some,)`."""
        ids = tf.cast(self.lookup(words), tf.int32)
        if not self.buckets:
            return ids
        shared = tf.strings.to_hash_bucket_fast(words, self.buckets)
        first = self.vocabulary - self.buckets
        return tf.where(ids == UNKNOWN, first + tf.cast(shared, tf.int32), ids)

    def compute_output_spec(self, x: Any) -> keras.KerasTensor:
        """The shape and dtype of what `call` returns."""
        return keras.KerasTensor((x.shape[0], self.width), "int32")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again; its words are saved beside."""
        sizes = {"vocabulary": self.vocabulary, "length": self.length}
        others = {"buckets": self.buckets, "prefixes": self.prefixes}
        return {**super().get_config(), **sizes, **others}


def _words(texts: tf.Tensor) -> tf.RaggedTensor:
    """The words of texts in lower case, `(texts, None)`."""
    lower = tf.strings.lower(texts, encoding="utf-8")
    spaced = tf.strings.regex_replace(lower, _BETWEEN, " ")
    return tf.strings.split(spaced)
