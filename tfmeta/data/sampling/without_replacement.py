"""Choosing few of many without looking at each of the many."""

from __future__ import annotations

import tensorflow as tf


def without_replacement(bits: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Chooses different numbers below a size, in random order.

    Every ordered choice is equally likely, up to a bias of `size / 2**64`. The work
    depends on how many numbers are chosen, not on the size. The first chosen numbers do
    not depend on how many follow them.

    The method: entry `i` of the bits is reduced to a rank among the `size - i` numbers
    that the entries before it leave (the digits of a Lehmer code). A loop from the last
    entry to the first turns the ranks into numbers: each entry makes room for itself,
    so the entries after it that are not below it move up by one.

    Args:
        bits: `(..., chosen)` int64, uniform over all int64 integers.
        sizes: The number of numbers to choose from, int64 of a shape that broadcasts to
            `bits`. Each size is at least `chosen`.

    Returns:
        `(..., chosen)` int64 in `0..size-1`; the numbers of a row are all different.

    Example:
        >>> bits = tf.constant([[3, 0, 0, 0]], tf.int64)
        >>> without_replacement(bits, tf.constant(4, tf.int64)).numpy().tolist()
        [[3, 0, 1, 2]]
    """
    places = tf.range(bits.shape[-1], dtype=tf.int64)
    ranks = tf.math.floormod(bits, sizes - places)

    def make_room(place: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        entry = tf.gather(chosen, place[tf.newaxis], axis=-1)
        moves = (chosen >= entry) & (places > place)
        return place - 1, chosen + tf.cast(moves, tf.int64)

    last = tf.constant(bits.shape[-1] - 1, tf.int64)
    return tf.while_loop(lambda place, _: place >= 0, make_room, (last, ranks))[1]


def all_others(chosen: tf.Tensor, count: int) -> tf.Tensor:
    """The lowest numbers from 0 on that were not chosen, in increasing order.

    Args:
        chosen: `(tasks, rows, chosen)` int64, different within a row.
        count: The number of numbers to return in a row.

    Returns:
        `(tasks, rows, count)` int64.

    Example:
        >>> all_others(tf.constant([[[3, 1]]], tf.int64), 4).numpy().tolist()
        [[[0, 2, 4, 5]]]
    """
    # A chosen number comes before the other of rank r if at most r others are below it.
    others_below = tf.sort(chosen, axis=-1) - tf.range(chosen.shape[-1], dtype=tf.int64)
    ranks = tf.range(count, dtype=tf.int64)
    ranks = tf.broadcast_to(ranks, tf.concat([tf.shape(chosen)[:-1], [count]], 0))
    chosen_before = tf.searchsorted(others_below, ranks, side="right")
    return ranks + tf.cast(chosen_before, tf.int64)
