"""Minibatches of a support set, in a fixed order."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core import nests
from tfmeta.core.episode import Examples, Tensor


def spread_order(y: Tensor) -> Tensor:
    """An order of the support set in which the classes take turns.

    First comes the first example of each class, then the second of each, and so on;
    float targets stay in their order.

    Args:
        y: `(examples,)` int32 labels, or `(examples, ...)` float targets.

    Returns:
        `(examples,)` int32, positions in `y`.
    """
    positions = tf.range(tf.shape(y)[0])
    if not y.dtype.is_integer:
        return positions
    by_class = tf.argsort(y, stable=True)
    sorted_y = tf.gather(y, by_class)
    # For each example, in the order of the classes: its place within its own class.
    rank = positions - tf.searchsorted(sorted_y, sorted_y, side="left")
    back = tf.argsort(by_class)
    return tf.argsort(tf.gather(rank, back), stable=True)


def minibatch(support: Examples, order: Tensor, index: Tensor, size: int) -> Examples:
    """The minibatch of a step; after the last example the first comes again.

    Args:
        support: `x` `(examples, ...)`, `y` `(examples, ...)`.
        order: `(examples,)`, what `spread_order` returned.
        index: Scalar int32, the step's number from 0.
        size: The number of examples in a minibatch. A smaller support set is one
            minibatch.

    Returns:
        The examples.
    """
    count = tf.shape(order)[0]
    taken = tf.minimum(size, count)
    rows = tf.gather(order, (index * taken + tf.range(taken)) % count)
    return nests.take(support, rows)
