"""Episodes of a split whose examples are in groups."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.sampling.grouped import Grouped
from tfmeta.data.sampling.groups import PLURALS
from tfmeta.data.sampling.id_sampler import IdSampler
from tfmeta.data.sampling.sampler import Batch

_NAMED = 5  # how many groups an error names before it says "and n more"


class EpisodeSampler:
    """Draws the examples of episode number `index`, in the graph.

    Episode `index` is a pure function of (seed, split's name, index): nothing is
    remembered between two calls, so any episode can be drawn at any time, in any
    order, in any process. Classes, and examples within each, are chosen uniformly
    without replacement; the classes among those of one superclass, if the split has
    superclasses. So no class is twice in an episode, support and query are
    disjoint, and which class gets which label is random. The support set does not
    depend on `query`; an episode of another way or shot is another episode.

    Where the split's targets are values, a task takes the place of a class.

    Args:
        split: The split to draw from; its classes or tasks may differ in size.
        way: The number of classes of an episode; 1 where an episode is one task.
        shot: The number of support examples of each class.
        query: The number of query examples of each class; None takes all that the
            support leaves.
        seed: Another seed draws other episodes.

    Raises:
        ValueError: Where the split has too few classes or too few examples in one.

    Example:
        >>> from tfmeta.data import Split
        >>> x = np.zeros((40, 2, 2, 1), np.uint8)
        >>> y = np.repeat(np.arange(4), 10)
        >>> split = Split("train", x, y, ("a", "b", "c", "d"))
        >>> sampler = EpisodeSampler(split, way=3, shot=2, query=5, seed=0)
        >>> support, support_y, query, query_y = sampler.ids(7)
        >>> support_y.numpy().tolist(), query.shape.as_list()
        ([0, 0, 1, 1, 2, 2], [15])
    """

    def __init__(
        self,
        split: Grouped,
        *,
        way: int,
        shot: int,
        query: int | None = 15,
        seed: int = 0,
    ) -> None:
        _check_numbers(way=way, shot=shot, query=query)
        _check_groups(split, way=way, shot=shot, query=query)
        self._ids = IdSampler(
            split.groups.counts,
            way=way,
            shot=shot,
            query=query,
            name=split.name,
            seed=seed,
            superclasses=split.superclasses,
        )
        self.name, self.seed = split.name, seed
        self.way, self.shot, self.query = way, shot, self._ids.query
        self._split, self._values = split, values_of(split)

    @property
    def static(self) -> bool:
        """Whether every episode has the same number of query examples."""
        return self.query is not None

    def batch(self, indices: tf.Tensor, number: tf.Tensor) -> Batch:
        """Draws several episodes with their examples; see `Sampler.batch`."""
        del number  # All episodes have one size.
        return episode_batch(self._split, self._values, *self.batch_ids(indices))

    def ids(
        self, index: int | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draws one episode.

        Args:
            index: The episode's number, an integer scalar from 0.

        Returns:
            Four vectors: the example ids and the labels of the support set, then those
            of the query set. Ids are int64, labels int32 in `0..way-1`; a vector has
            `way * shot` or `way * query` entries. Where `query` is None, the query set
            has all examples of the classes that the support leaves.
        """
        indices = tf.cast(index, tf.int64)[tf.newaxis]
        support, support_y, query, query_y = self.batch_ids(indices)
        return support[0], support_y[0], query[0], query_y[0]

    def batch_ids(
        self, indices: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draws several episodes at once, the same episodes as `ids` draws.

        Args:
            indices: The episodes' numbers, integers `(tasks,)`; `(1,)` where `query`
                is None and the classes differ in size.

        Returns:
            What `ids` returns, each with a leading task axis.
        """
        ids, classes = self._ids.draw(indices)
        queries = ids.shape[2] - self.shot
        support = self._flat(ids[:, :, : self.shot])
        query = self._flat(ids[:, :, self.shot :])
        labels = np.arange(self.way, dtype=np.int32)
        support_y = tf.zeros_like(support, tf.int32) + np.repeat(labels, self.shot)
        query_y = tf.zeros_like(query, tf.int32) + np.repeat(labels, queries)
        if not self.static:
            left = self._ids.sizes(classes) - self.shot
            real = self._flat(tf.range(queries, dtype=tf.int64) < left)
            query = tf.boolean_mask(query, real)[tf.newaxis]
            query_y = tf.boolean_mask(query_y, real)[tf.newaxis]
        return support, support_y, query, query_y

    def rows(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws several episodes as rows; a row is a class, its support examples first.

        Args:
            indices: The episodes' numbers, integers `(tasks,)`.

        Returns:
            Example ids, int64 `(tasks, way, shot + query)`, and the targets of these
            examples: int32 labels of the same shape, or float32 values,
            `(tasks, 1, shot + query, ...)`.
        """
        ids, _ = self._ids.draw(indices)
        labels = tf.zeros_like(ids, tf.int32) + tf.range(self.way)[:, tf.newaxis]
        return ids, labels if self._values is None else tf.gather(self._values, ids)

    def examples(self, ids: tf.Tensor) -> Any:
        """Looks up the examples of ids."""
        return self._split.take(ids)

    def _flat(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns `(tasks, way * n)` for `(tasks, way, n)`."""
        return tf.reshape(rows, (-1, self.way * rows.shape[2]))


def values_of(split: Grouped) -> tf.Tensor | None:
    """The values of a part's examples as a tensor; None if they have labels.

    A graph captures the tensor; it does not hold the values as constants.
    """
    if split.values is None:
        return None
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(split.values)


def episode_batch(
    split: Grouped,
    values: tf.Tensor | None,
    support: tf.Tensor,
    support_y: tf.Tensor,
    query: tf.Tensor,
    query_y: tf.Tensor,
) -> Batch:
    """Turns a batch of ids and labels into the Keras pair of `episodes`.

    Args:
        split: The part that the ids are of.
        values: Its values by `values_of`, which take the place of labels; or None.
        support: Example ids, `(tasks, way * shot)`.
        support_y: Their labels.
        query: Example ids, `(tasks, way * query)`.
        query_y: Their labels.

    Returns:
        `({"support_x", "support_y", "query_x"}, query_y)`.
    """
    if values is not None:
        support_y, query_y = tf.gather(values, support), tf.gather(values, query)
    x = {
        "support_x": split.take(support),
        "support_y": support_y,
        "query_x": split.take(query),
    }
    return x, query_y


def _check_numbers(*, way: int, shot: int, query: int | None) -> None:
    """Raises unless all are integers of at least 1."""
    for name, value in (("way", way), ("shot", shot), ("query", query)):
        if name == "query" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ValueError(f"{name} must be an integer. Received: {value!r}.")
        if value < 1:
            raise ValueError(f"{name} must be at least 1. Received: {value}.")


def _check_groups(split: Grouped, *, way: int, shot: int, query: int | None) -> None:
    """Raises if `split` has no such episodes; the error says the first reason."""
    names, counts, kind = split.groups.names, split.groups.counts, split.groups.kind
    many = PLURALS[kind]
    if way > len(names):
        if kind == "task":
            raise ValueError(
                f"An episode is a task, but split {split.name!r} has none. Set split "
                f"so that {split.name!r} has tasks."
            )
        raise ValueError(
            f"way={way} needs {way} classes, but split {split.name!r} has "
            f"{len(names)}. Lower way, or set split so that {split.name!r} has more "
            "classes."
        )
    needed = shot + (1 if query is None else query)
    too_small = counts < needed
    if split.superclasses:
        too_small &= _of_large_superclasses(split.name, split.superclasses, way)
    small = np.flatnonzero(too_small)
    if small.size:
        named = ", ".join(f"{names[c]!r} ({counts[c]})" for c in small[:_NAMED])
        more = f" and {small.size - _NAMED} more" if small.size > _NAMED else ""
        wanted = f"shot={shot} and query={'at least 1' if query is None else query}"
        raise ValueError(
            f"{wanted} need {needed} examples of every {kind}, but in split "
            f"{split.name!r} these have fewer: {named}{more}. Lower shot or query, "
            f"or leave these {many} out."
        )


def _of_large_superclasses(
    part: str, superclasses: tuple[str, ...], way: int
) -> np.ndarray:
    """Whether each class is of a superclass that is large enough for an episode.

    Raises:
        ValueError: If there is no such superclass.
    """
    sizes = collections.Counter(superclasses)
    largest, most = sizes.most_common(1)[0]
    if most < way:
        raise ValueError(
            f"way={way} needs {way} classes of one superclass, but the largest of "
            f"split {part!r} is {largest!r} with {most}. Lower way, or leave out "
            "by_superclass; the superclass of a class is what its name has before "
            'the first "/".'
        )
    return np.array([sizes[name] >= way for name in superclasses])
