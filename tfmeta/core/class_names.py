"""Names of classes and their labels: one codec for Python and for served graphs.

The classes are the distinct names, sorted by code point, which is the order of their
UTF-8 bytes too. The label of a class is its place in that order. So a net with a fixed
head sees the same labels in Python and in a served model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core.episode import Tensor
from tfmeta.core.problems import listed

MAX_BYTES = 1024  # Of a name in a request: bounds the time that sorting takes.
_WORD = 8  # The bytes that are compared at once.
_SIGN = np.int64(np.iinfo(np.int64).min)


def encode(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes and the labels of named examples, in Python.

    Args:
        names: `(examples,)` texts; whole numbers are sorted as numbers.

    Returns:
        The distinct names, sorted, `(way,)`; and the labels, `(examples,)` int32.

    Raises:
        ValueError: If a name is empty.

    Example:
        >>> classes, labels = encode(np.array(["wren", "owl", "wren"]))
        >>> classes.tolist(), labels.tolist()
        (['owl', 'wren'], [1, 0, 1])
    """
    classes, labels = np.unique(names, return_inverse=True)
    if classes.dtype.kind in "SU" and "" in [_text(name) for name in classes]:
        raise ValueError(
            "The name of a class must not be empty. Received: an empty text among "
            f"{listed(repr(_text(name)) for name in classes)}. Give each class a name."
        )
    return classes, labels.astype(np.int32)


def encode_in_graph(names: Tensor) -> tuple[Tensor, Tensor]:
    """The classes and the labels of named examples, in a graph.

    Args:
        names: `(examples,)` strings in UTF-8.

    Returns:
        The distinct names, sorted, `(way,)` strings; and the labels, `(examples,)`
        int32.
    """
    distinct, places = tf.unique(names)
    order = _sorting(distinct)
    labels = tf.gather(tf.math.invert_permutation(order), places)
    return tf.gather(distinct, order), labels


def extend_in_graph(classes: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
    """The classes and the labels when named examples come to classes that are there.

    The classes keep their labels. New classes follow them, sorted among themselves.

    Args:
        classes: The distinct names so far, `(way,)` strings, in the order of labels.
        names: The names of the further examples, `(examples,)` strings.

    Returns:
        The names of old and new classes; and the labels, `(examples,)` int32.
    """
    before = tf.shape(classes)[0]
    _, places = tf.unique(tf.concat([classes, names], 0))
    old = places[before:]
    new = old >= before
    added, labels = encode_in_graph(tf.boolean_mask(names, new))
    labels = tf.tensor_scatter_nd_update(old, tf.where(new), labels + before)
    return tf.concat([classes, added], 0), labels


def class_texts(classes: Iterable[Any]) -> list[str]:
    """The names of classes as texts, none of them empty or there twice.

    Args:
        classes: Texts, UTF-8 bytes or numbers, in the order of the labels.

    Raises:
        ValueError: If there is no class, or if a name is empty or repeats.
    """
    names = [_text(name) for name in classes]
    if not names:
        raise ValueError("A classifier needs at least one class. Received: none.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "" in names:
        raise ValueError(
            "Each class must have a name of its own that is not empty. Received: "
            f"{listed(map(repr, twice or names))}{', more than once' if twice else ''}."
            " Rename the classes."
        )
    return names


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _sorting(names: Tensor) -> Tensor:
    """The places of names in sorted order: a radix sort from the last word of bytes.

    TensorFlow sorts numbers alone. Words of bytes are numbers, and TensorFlow's sort
    keeps the order of equal ones. A name that ends is padded with zeros; so that it
    comes before a name that goes on with zero bytes, lengths are sorted first.

    Args:
        names: `(names,)` strings.

    Returns:
        `(names,)` int32.
    """
    lengths = tf.strings.length(names)
    words = (tf.reduce_max(tf.concat([lengths, [0]], 0)) + _WORD - 1) // _WORD

    def by_word(word: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        word -= 1
        starts = tf.minimum(word * _WORD, lengths)
        parts = tf.strings.substr(names, starts, tf.fill(tf.shape(names), _WORD))
        bits = tf.io.decode_raw(parts, tf.int64, little_endian=False, fixed_length=8)
        # Integers have a sign and bytes have none: the first bit changes its meaning.
        keys = tf.gather(tf.bitwise.bitwise_xor(bits[:, 0], _SIGN), order)
        return word, tf.gather(order, tf.argsort(keys, stable=True))

    by_length = tf.argsort(lengths, stable=True)
    loop = tf.while_loop(lambda word, _: word > 0, by_word, (words, by_length))
    return loop[1]
