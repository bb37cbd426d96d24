"""Choosing few of many without looking at each of the many."""

from __future__ import annotations

import tensorflow as tf


def without_replacement(bits: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Chooses different numbers below a size, in random order.

    Every ordered choice is equally likely, up to a bias of `size / 2**64`. The work
    depends on how many are chosen, not on the size. The first of the chosen do not
    depend on how many follow them.

    The method: entry `i` of the bits is reduced to a rank among the `size - i` numbers
    that the entries before it leave (the digits of a Lehmer code). Going from the last
    entry to the first, each rank becomes a number by making room for the entry: what
    follows the entry and is not below it moves up by one.

    Args:
        bits: `(..., chosen)` int64, uniform over all int64 integers.
        sizes: int64, how many numbers there are to choose from, of a shape that
            broadcasts to `bits`. None is below `chosen`.

    Returns:
        `(..., chosen)` int64 in `0..size-1`, all of a row different.

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
    """The lowest of the numbers that were not chosen, in their order.

    Args:
        chosen: `(tasks, rows, chosen)` int64, different within a row.
        count: The number of others that are wanted.

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
