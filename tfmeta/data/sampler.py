"""Which classes and examples an episode is made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from tfmeta.data.gather import Gather
from tfmeta.data.part import Batch
from tfmeta.data.stable_hash import stable_hash

_NAMED = 5  # how many classes an error names before it says "and n more"


class Classes(Protocol):
    """What a sampler needs to know of a `Split`, which see."""

    @property
    def name(self) -> str:
        """Part of what seeds the episodes."""

    @property
    def x(self) -> np.ndarray:
        """The examples."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for each class."""

    @property
    def num_classes(self) -> int:
        """The number of classes."""

    @property
    def counts(self) -> np.ndarray:
        """The number of examples of each class."""

    @property
    def starts(self) -> np.ndarray:
        """The first example id of each class."""


class EpisodeSampler:
    """Draws the example ids of episode number `index`, in the graph.

    Episode `index` is a pure function of (seed, split's name, index): nothing is
    remembered between two calls, so any episode can be drawn at any time, in any
    order, in any process. Classes and examples are chosen by giving each candidate a
    random key and taking the largest: a uniform choice without replacement in random
    order. So no class is twice in an episode, support and query are disjoint, and
    which class gets which label is random. With other hyper-parameters the same keys
    are used: a 5-way episode holds the first five classes of the 20-way episode.

    Args:
        split: Where to draw from; its classes may differ in size.
        way: Classes an episode.
        shot: Support examples a class.
        query: Query examples a class; None takes all that the support leaves.
        seed: Another seed, other episodes.

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
        split: Classes,
        *,
        way: int,
        shot: int,
        query: int | None = 15,
        seed: int = 0,
    ) -> None:
        _check(split, way=way, shot=shot, query=query)
        self.split = split
        self.way = way
        self.shot = shot
        self.stream = stable_hash(f"{split.name}/{int(seed)}")
        self._counts = np.asarray(split.counts, np.int32)
        self._starts = np.asarray(split.starts, np.int32)
        self._widest = int(self._counts.max())
        self.equal_sizes = bool(np.all(self._counts == self._widest))
        if query is None and self.equal_sizes:
            query = self._widest - shot
        self.query = query
        self.examples = Gather(split.x)

    @property
    def static(self) -> bool:
        """Whether every episode has the same number of query examples."""
        return self.query is not None

    def batch(self, indices: tf.Tensor) -> Batch:
        """Draws several episodes with their examples; see `Sampler.batch`."""
        return self.examples.batch(*self.batch_ids(indices))

    def ids(
        self, index: int | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draws one episode.

        Args:
            index: The episode's number, an integer scalar from 0.

        Returns:
            Four int32 vectors: example ids `(way * shot,)` and labels of the support,
            example ids `(way * query,)` and labels of the query set, labels in
            `0..way-1`. Where `query` is None and the classes differ in size, the
            query set is as long as its classes together.
        """
        indices = tf.cast(index, tf.int64)[tf.newaxis]
        support, support_y, query, query_y = self.batch_ids(indices)
        return support[0], support_y[0], query[0], query_y[0]

    def batch_ids(
        self, indices: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draws several episodes at once, the same ones as `ids` would.

        Args:
            indices: The episodes' numbers, integers `(tasks,)`; `(1,)` where `query`
                is None and the classes differ in size.

        Returns:
            What `ids` returns, each with a leading task axis.
        """
        ids, classes = self._draw(indices)
        support, query = tf.split(ids, [self.shot, ids.shape[2] - self.shot], axis=2)
        support, query = self._flat(support), self._flat(query)
        labels = np.arange(self.way, dtype=np.int32)
        support_y = tf.zeros_like(support) + np.repeat(labels, self.shot)
        query_y = tf.zeros_like(query) + np.repeat(labels, ids.shape[2] - self.shot)
        if not self.static:
            left = tf.gather(self._counts, classes)[:, :, tf.newaxis] - self.shot
            real = self._flat(tf.range(self._widest - self.shot) < left)
            query = tf.boolean_mask(query, real)[tf.newaxis]
            query_y = tf.boolean_mask(query_y, real)[tf.newaxis]
        return support, support_y, query, query_y

    def rows(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws several episodes as rows, a class each: its support, then its queries.

        Args:
            indices: The episodes' numbers, integers `(tasks,)`.

        Returns:
            Example ids and labels, int32 `(tasks, way, shot + query)`.
        """
        ids, _ = self._draw(indices)
        return ids, tf.zeros_like(ids) + tf.range(self.way)[:, tf.newaxis]

    def _draw(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns example ids `(tasks, way, shot + query)`, classes `(tasks, way)`."""
        indices = tf.cast(indices, tf.int64)
        class_keys, example_keys = tf.map_fn(
            self._keys, indices, fn_output_signature=(tf.int32, tf.int32)
        )
        # A class's place among the chosen is its label.
        classes = tf.math.top_k(class_keys, self.way).indices
        return self._draw_examples(example_keys, classes), classes

    def _flat(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns `(tasks, way * n)` for `(tasks, way, n)`."""
        return tf.reshape(rows, (-1, self.way * rows.shape[2]))

    def _draw_examples(self, keys: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        """Returns `(tasks, way, shot + query)` example ids, distinct within a row.

        Where the query set takes what is left of unequal classes, a row is as long as
        the largest class, and what a smaller class lacks is at the row's end.
        """
        if not self.equal_sizes:
            # A key that no real example has, so that these come last.
            keys = tf.maximum(keys, tf.int32.min + 1)
            counts = tf.gather(self._counts, classes)[:, :, tf.newaxis]
            keys = tf.where(tf.range(self._widest) < counts, keys, tf.int32.min)
        taken = self._widest if self.query is None else self.shot + self.query
        chosen = tf.math.top_k(keys, taken).indices
        return chosen + tf.gather(self._starts, classes)[:, :, tf.newaxis]

    def _keys(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the random keys `(num_classes,)` and `(way, largest class)`."""
        classes = self.split.num_classes
        # One draw for both: dispatching it costs as much as the numbers themselves.
        keys = tf.random.stateless_uniform(
            (classes + self.way * self._widest,),
            seed=tf.stack([tf.constant(self.stream, tf.int64), index]),
            minval=None,
            maxval=None,
            dtype=tf.int32,
            alg="philox",
        )
        keys, rows = tf.split(keys, [classes, self.way * self._widest])
        return keys, tf.reshape(rows, (self.way, self._widest))


def _check(split: Classes, *, way: int, shot: int, query: int | None) -> None:
    """Raises the first reason why `split` has no such episodes."""
    for name, value, least in (("way", way, 1), ("shot", shot, 1), ("query", query, 1)):
        if name == "query" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ValueError(f"{name} must be an integer. Received: {value!r}.")
        if value < least:
            raise ValueError(f"{name} must be at least {least}. Received: {value}.")
    if way > split.num_classes:
        raise ValueError(
            f"way={way} needs {way} classes, but split {split.name!r} has "
            f"{split.num_classes}. Lower --way or use another split."
        )
    needed = shot + (1 if query is None else query)
    small = np.flatnonzero(split.counts < needed)
    if small.size:
        named = ", ".join(
            f"{split.class_names[c]!r} ({split.counts[c]})" for c in small[:_NAMED]
        )
        more = f" and {small.size - _NAMED} more" if small.size > _NAMED else ""
        wanted = f"shot={shot} and query={'at least 1' if query is None else query}"
        raise ValueError(
            f"{wanted} need {needed} examples of every class, but in split "
            f"{split.name!r} these have fewer: {named}{more}. Lower --shot or --query, "
            "or leave these classes out."
        )
