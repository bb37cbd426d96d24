"""Every random key, from one function of (seed, what it is for, number)."""

from __future__ import annotations

import hashlib

import tensorflow as tf

from tfmeta.core.episode import Tensor


def stable_hash(text: str) -> int:
    """A signed 64-bit hash; unlike Python's own it is the same in every process."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def key(seed: int, purpose: str, number: Tensor | int) -> Tensor:
    """The key of a stateless random operation.

    Keys of two purposes share nothing, and neither do those of two seeds: seed 1's
    number 0 is not seed 0's number 1.

    Args:
        seed: What the user chose, a Python integer.
        purpose: What is drawn, in words, such as "episodes/train".
        number: Which draw: the episode's, the step's or the variable's number. Integer,
            any shape.

    Returns:
        int64 of the shape of `number` and a last axis of 2.

    Example:
        >>> key(0, "dropout", 3).shape, key(0, "dropout", [1, 2, 3]).shape
        (TensorShape([2]), TensorShape([3, 2]))
    """
    number = tf.cast(number, tf.int64)
    stream = tf.constant(stable_hash(f"{purpose}/{int(seed)}"), tf.int64)
    return tf.stack([tf.broadcast_to(stream, tf.shape(number)), number], axis=-1)


def integer(seed: int, purpose: str, number: int = 0) -> int:
    """A seed for what takes a plain one, such as a Keras initializer.

    Args:
        seed: What the user chose.
        purpose: What is drawn, in words.
        number: Which draw, such as the variable's place.

    Returns:
        A Python integer in `0..2**31 - 2`.
    """
    return stable_hash(f"{purpose}/{int(seed)}/{int(number)}") % (2**31 - 1)


def fold(seed: Tensor | None, purpose: str, number: Tensor | int = 0) -> Tensor | None:
    """Another seed inside the graph, for a further draw within one task.

    Args:
        seed: Scalar integer tensor, or None where nothing is random.
        purpose: What is drawn, in words.
        number: Which draw: an integer, or a scalar tensor of one.

    Returns:
        A scalar int64, a function of all three; None of None.
    """
    if seed is None:
        return None
    stream = tf.constant(stable_hash(purpose), tf.int64) + tf.cast(number, tf.int64)
    return tf.random.stateless_uniform(
        (),
        tf.stack([tf.cast(seed, tf.int64), stream]),
        minval=None,
        maxval=None,
        dtype=tf.int64,
        alg="philox",
    )
