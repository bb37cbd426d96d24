"""Which groups an episode has: any, or groups of one superclass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfmeta.data.sampling.without_replacement import without_replacement


class AnyGroups:
    """Chooses among all groups.

    Args:
        groups: The number of groups.
        way: The number of groups of an episode.
    """

    def __init__(self, groups: int, way: int):
        self.bits, self._groups = way, groups

    def __call__(self, bits: tf.Tensor) -> tf.Tensor:
        """Chooses groups, uniformly and without replacement.

        Args:
            bits: `(tasks, self.bits)` int64, uniform over all int64 integers.

        Returns:
            `(tasks, way)` int64, in random order.
        """
        return without_replacement(bits, tf.constant(self._groups, tf.int64))


class OneSuperclass:
    """Chooses a superclass that has enough groups, then groups among its own.

    Superclasses are equally likely, whatever their size.

    Args:
        superclasses: The superclass of each group.
        way: The number of groups of an episode.
    """

    def __init__(self, superclasses: Sequence[str], way: int):
        self.bits = 1 + way
        names, places = np.unique(np.asarray(superclasses), return_inverse=True)
        counts = np.bincount(places, minlength=len(names)).astype(np.int64)
        starts, enough = np.cumsum(counts) - counts, counts >= way
        with tf.init_scope(), tf.device("CPU:0"):
            self._members = tf.constant(np.argsort(places, kind="stable"), tf.int64)
            self._counts = tf.constant(counts[enough])
            self._starts = tf.constant(starts[enough])

    def __call__(self, bits: tf.Tensor) -> tf.Tensor:
        """Chooses groups; see `AnyGroups`."""
        which = tf.math.floormod(bits[:, :1], tf.size(self._counts, tf.int64))
        own = without_replacement(bits[:, 1:], tf.gather(self._counts, which))
        return tf.gather(self._members, tf.gather(self._starts, which) + own)
