"""Statistics of the classes in one support set."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Tensor


def count_ways(y: Tensor) -> Tensor:
    """The way of a support set: its highest label plus one, as an int32 scalar."""
    return tf.reduce_max(y) + 1


def present_classes(y: Tensor, way: Tensor | int) -> Tensor:
    """Which of the classes 0..way-1 occur among the labels.

    Args:
        y: `(examples,)` int32 labels.
        way: How many classes there are.

    Returns:
        `(way,)` bool.
    """
    return tf.reduce_any(tf.equal(tf.range(way)[:, None], y[None, :]), axis=1)


def class_means(z: Tensor, y: Tensor, way: Tensor | int) -> Tensor:
    """The mean of each class's rows; classes may have unequal numbers of rows.

    Args:
        z: `(examples, features)`.
        y: `(examples,)` int32 labels in `0..way-1`.
        way: How many classes there are.

    Returns:
        `(way, features)`; zeros for a class without examples.
    """
    members = tf.cast(tf.equal(tf.range(way)[:, None], y[None, :]), z.dtype)
    counts = tf.reduce_sum(members, axis=1, keepdims=True)
    return tf.matmul(members, z) / tf.maximum(counts, 1)


def joined_members(first: Tensor, second: Tensor) -> Tensor:
    """Which examples are of which class, where two sets of classes become one.

    Args:
        first: `(way, examples)` bool.
        second: The same of other classes and other examples.

    Returns:
        `(ways together, examples together)` bool: `second`'s after `first`'s.
    """
    above = tf.pad(first, [[0, tf.shape(second)[0]], [0, 0]])
    below = tf.pad(second, [[tf.shape(first)[0], 0], [0, 0]])
    return tf.concat([above, below], axis=1)
