"""Draws the groups of an episode, and the ids of the examples from each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfmeta.core.keys import key
from tfmeta.data.sampling.group_choice import AnyGroups, OneSuperclass
from tfmeta.data.sampling.random_bits import random_bits
from tfmeta.data.sampling.without_replacement import all_others, without_replacement


class IdSampler:
    """Draws groups and example ids from the sizes of the groups alone.

    The work for an episode depends on what the episode holds, not on how many groups
    there are or how large they are. Example ids count through all groups: the ids of
    group `g` are a range, which begins at the sum of the sizes before it.

    Args:
        sizes: `(groups,)` integers, the number of examples of each group, which is at
            least `shot + query`, or more than `shot` if `query` is None.
        way: The number of groups of an episode.
        shot: The number of support examples of each group.
        query: The number of query examples of each group; None takes all that the
            support leaves.
        name: The split's name, such as "train"; other names draw other episodes.
        seed: Another seed draws other episodes.
        superclasses: The superclass of each group, if the groups of an episode shall be
            of one, of which at least one has `way` groups; None draws from all groups.

    Example:
        >>> sampler = IdSampler([10**9] * 10**4, way=2, shot=1, query=3, name="train")
        >>> ids, groups = sampler.draw(tf.range(7))
        >>> ids.shape.as_list(), groups.shape.as_list(), ids.dtype.name
        ([7, 2, 4], [7, 2], 'int64')
    """

    def __init__(
        self,
        sizes: np.ndarray,
        *,
        way: int,
        shot: int,
        query: int | None,
        name: str,
        seed: int = 0,
        superclasses: Sequence[str] | None = None,
    ):
        sizes = np.asarray(sizes, np.int64)
        self.way, self.shot, self.name, self.seed = way, shot, name, seed
        self.largest = int(sizes.max())
        self._takes_rest = query is None
        if query is None and np.all(sizes == self.largest):
            query = self.largest - shot
        self.query = query
        self._drawn = shot if self._takes_rest else shot + (query or 0)
        self._choose = (
            AnyGroups(len(sizes), way)
            if superclasses is None
            else OneSuperclass(superclasses, way)
        )
        # A graph captures these tensors; they are not constants inside it.
        with tf.init_scope(), tf.device("CPU:0"):
            self._sizes = tf.constant(sizes)
            self._starts = tf.constant(np.cumsum(sizes) - sizes)

    def draw(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws several episodes.

        Args:
            indices: The episodes' numbers, integers `(tasks,)`.

        Returns:
            Example ids, int64 `(tasks, way, shot + query)`, the support of each group
            first, and groups, int64 `(tasks, way)`, both in random order. If `query` is
            None, the queries are in the order of their ids. If groups differ in size
            too, each row is as long as the largest group, and a smaller group's row
            ends in ids that are not of the group.
        """
        keys = key(self.seed, f"episodes/{self.name}", indices)
        for_groups = self._choose.bits
        bits = random_bits(keys, for_groups + self.way * self._drawn)
        groups = self._choose(bits[:, :for_groups])
        # The bits are used example by example, not group by group, so that the support
        # set does not depend on the number of queries.
        bits = tf.reshape(bits[:, for_groups:], (-1, self._drawn, self.way))
        ids = without_replacement(tf.transpose(bits, (0, 2, 1)), self.sizes(groups))
        if self._takes_rest:
            rest = all_others(ids, self.largest - self.shot)
            ids = tf.concat([ids, rest], axis=-1)
        return ids + tf.gather(self._starts, groups)[..., tf.newaxis], groups

    def sizes(self, groups: tf.Tensor) -> tf.Tensor:
        """The numbers of examples of groups, int64 `(tasks, way, 1)`."""
        return tf.gather(self._sizes, groups)[..., tf.newaxis]
