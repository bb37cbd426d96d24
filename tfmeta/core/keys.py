"""Random keys; each key is a function of a seed, a purpose and a number."""

from __future__ import annotations

import hashlib

import tensorflow as tf

from tfmeta.core.episode import Tensor


def stable_hash(text: str) -> int:
    """A signed 64-bit hash; unlike Python's `hash` it is the same in every process."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def key(seed: int, purpose: str, number: Tensor | int) -> Tensor:
    """The key of a stateless random operation.

    Keys of two purposes are unrelated, and so are keys of two seeds: the key of seed 1
    and number 0 is not the key of seed 0 and number 1.

    Args:
        seed: The user's seed, a Python integer.
        purpose: A name for what is drawn, such as "episodes/train".
        number: The number of the draw, such as the number of an episode, a step or a
            variable; integers of any shape.

    Returns:
        An int64 tensor, `(*number.shape, 2)`.

    Example:
        >>> key(0, "dropout", 3).shape, key(0, "dropout", [1, 2, 3]).shape
        (TensorShape([2]), TensorShape([3, 2]))
    """
    number = tf.cast(number, tf.int64)
    stream = tf.constant(stable_hash(f"{purpose}/{int(seed)}"), tf.int64)
    return tf.stack([tf.broadcast_to(stream, tf.shape(number)), number], axis=-1)


def integer(seed: int, purpose: str, number: int = 0) -> int:
    """A seed for code that takes a Python integer, such as a Keras initializer.

    Args:
        seed: The user's seed, a Python integer.
        purpose: A name for what is drawn.
        number: The number of the draw, such as a variable's place in a list.

    Returns:
        A Python integer in `0..2**31 - 2`.
    """
    return stable_hash(f"{purpose}/{int(seed)}/{int(number)}") % (2**31 - 1)


def fold(seed: Tensor | None, purpose: str, number: Tensor | int = 0) -> Tensor | None:
    """Derives another seed in the graph, for a further draw within one task.

    Args:
        seed: Scalar integer tensor, or None where nothing is random.
        purpose: A name for what is drawn.
        number: The number of the draw, an integer or a scalar integer tensor.

    Returns:
        A scalar int64 that depends on all three arguments; None if `seed` is None.
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
