"""Episodes whose way and shot are drawn too."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfmeta.data.part import Batch, Range, Sampler


class Widest(Sampler, Protocol):
    """Draws the largest episodes that may be needed; smaller ones are cut from them."""

    @property
    def way(self) -> int:
        """Rows of an episode."""

    @property
    def shot(self) -> int:
        """Support examples in a row."""

    @property
    def query(self) -> int | None:
        """Query examples in a row."""

    @property
    def stream(self) -> int:
        """What its random numbers are drawn from."""

    def rows(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What stands for examples, and their y: `(tasks, way, shot + query, ...)`."""

    def examples(self, x: tf.Tensor) -> tf.Tensor:
        """The examples that entries of the first of the rows stand for."""


def bounds(name: str, value: Any) -> tuple[int, int]:
    """Reads a number or an inclusive range of numbers.

    Args:
        name: What it is, for the error.
        value: An integer, or two of them, the lower one first.

    Returns:
        The lowest and the highest number.

    Raises:
        ValueError: If it is neither, or below 1.

    Example:
        >>> bounds("shot", 5), bounds("shot", (1, 10))
        ((5, 5), (1, 10))
    """
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    for end in pair:
        if isinstance(end, bool) or not isinstance(end, (int, np.integer)):
            raise ValueError(f"{name} must be an integer. Received: {end!r}.")
        if end < 1:
            raise ValueError(f"{name} must be at least 1. Received: {end}.")
    if len(pair) != 2 or pair[0] > pair[1]:
        raise ValueError(
            f"A range of {name} is two numbers, the lower one first. Received: "
            f"{value!r}."
        )
    return pair


def varied(
    widest: Widest, *, way: Range, shot: Range, unequal_shots: bool = False
) -> Sampler:
    """Makes a sampler of the way and shot asked for.

    Args:
        widest: Draws the largest of the episodes.
        way: Rows of an episode, a number or a range.
        shot: Support examples in a row, a number or a range.
        unequal_shots: Whether each row draws its own shot; see `VariableSampler`.

    Returns:
        `widest` itself where nothing varies.

    Raises:
        ValueError: If no single query size or no range of shots is given.
    """
    ways, shots = bounds("way", way), bounds("shot", shot)
    if unequal_shots and shots[0] == shots[1]:
        raise ValueError(
            "unequal_shots needs a range of shots, such as shot=(1, 10). Received: "
            f"shot={shot}."
        )
    if ways[0] == ways[1] and shots[0] == shots[1]:
        return widest
    if widest.query is None:
        raise ValueError("Where way or shot is a range, query must be a number.")
    return VariableSampler(widest, way=ways, shot=shots, unequal_shots=unequal_shots)


class VariableSampler:
    """Cuts episodes of a way and shot drawn at random from larger ones.

    Way and shot are drawn once for a batch, from the number of its first episode, so
    that a batch is rectangular. Its episodes are those that a sampler of that way and
    shot draws.

    With unequal shots every row of an episode (each class, or the one row of a
    function) draws its own shot, from the episode's own number. Then support sets
    differ in size: they are padded with zeros at their ends, and `x` also has
    `support_count` and `query_count`, `(tasks,)` int32, the numbers of real examples.

    Args:
        widest: Draws the larger episodes.
        way: The fewest and the most rows of an episode.
        shot: The fewest and the most support examples in a row.
        unequal_shots: Whether each row draws its own shot.
    """

    static = True

    def __init__(
        self,
        widest: Widest,
        *,
        way: tuple[int, int],
        shot: tuple[int, int],
        unequal_shots: bool = False,
    ):
        self.way, self.shot, self.unequal_shots = way, shot, unequal_shots
        self._widest, self._query = widest, bounds("query", widest.query)[1]

    def batch(self, indices: tf.Tensor) -> Batch:
        """Draws episodes; see `Sampler.batch`."""
        indices = tf.cast(indices, tf.int64)
        way, shot = self.sizes(indices)
        x, y = (rows[:, :way] for rows in self._widest.rows(indices))
        if self.unequal_shots:
            return self._ragged(x, y, self.shots(indices)[:, :way])
        end = shot + self._query
        batch = {
            "support_x": self._widest.examples(_flat(x[:, :, :shot])),
            "support_y": _flat(y[:, :, :shot]),
            "query_x": self._widest.examples(_flat(x[:, :, shot:end])),
        }
        return batch, _flat(y[:, :, shot:end])

    def sizes(self, indices: tf.Tensor) -> tuple[Any, Any]:
        """The way and shot of a batch; what is no range stays a Python integer."""
        keys = self._keys(1, indices[0], 2)
        return _within(self.way, keys[0]), _within(self.shot, keys[1])

    def shots(self, indices: tf.Tensor) -> tf.Tensor:
        """The shot of each row where they are unequal, `(tasks, way)` int32."""
        keys = tf.map_fn(
            lambda index: self._keys(2, index, self._widest.way),
            indices,
            fn_output_signature=tf.int32,
        )
        return _within(self.shot, keys)

    def _keys(self, place: int, index: tf.Tensor, count: int) -> tf.Tensor:
        stream = tf.constant(self._widest.stream, tf.int64) + place
        return tf.random.stateless_uniform(
            (count,),
            seed=tf.stack([stream, index]),
            minval=None,
            maxval=None,
            dtype=tf.int32,
            alg="philox",
        )

    def _ragged(self, x: tf.Tensor, y: tf.Tensor, shots: tf.Tensor) -> Batch:
        """Cuts rows at shots of their own and pads the support sets."""
        place, start = tf.range(x.shape[2]), shots[:, :, tf.newaxis]
        support = place < start
        query = (place >= start) & (place < start + self._query)
        most: list[int | None] = [None, None]
        if self.way[0] == self.way[1]:
            most = [self.way[1] * n for n in (self.shot[1], self._query)]
        ids, counts = _packed(x, support, most[0])
        labels, _ = _packed(y, support, most[0])
        asked, query_counts = _packed(x, query, most[1])
        query_y, _ = _packed(y, query, most[1])
        batch = {
            "support_x": _cleared(self._widest.examples(ids), counts),
            "support_y": labels,
            "query_x": self._widest.examples(asked),
            "support_count": counts,
            "query_count": query_counts,
        }
        return batch, query_y


def _within(ends: tuple[int, int], key: tf.Tensor) -> Any:
    """A number from the range, drawn by an integer key."""
    low, high = ends
    return low if low == high else low + tf.math.floormod(key, high - low + 1)


def _flat(rows: tf.Tensor) -> tf.Tensor:
    """Returns `(tasks, way * n, ...)` for `(tasks, way, n, ...)`."""
    tasks = rows.shape[0] or tf.shape(rows)[0]
    return tf.reshape(rows, (tasks, -1, *rows.shape[3:]))


def _packed(
    rows: tf.Tensor, chosen: tf.Tensor, width: int | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves the chosen entries of each task to its front, and counts them.

    Args:
        rows: `(tasks, way, n, ...)`.
        chosen: `(tasks, way, n)` bool.
        width: The length of the result; None for that of the longest.

    Returns:
        `(tasks, width, ...)`, zeros after the chosen entries, and their number,
        `(tasks,)` int32.
    """
    counts = tf.reduce_sum(tf.cast(chosen, tf.int32), axis=[1, 2])
    ragged = tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(rows, chosen), counts, validate=False
    )
    shape = (None, width, *rows.shape[3:])
    return ragged.to_tensor(shape=shape), counts


def _cleared(x: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """Sets what comes after the first `counts` examples of each task to zero."""
    real = tf.sequence_mask(counts, tf.shape(x)[1])
    for _ in x.shape[2:]:
        real = real[..., tf.newaxis]
    return tf.where(real, x, tf.zeros((), x.dtype))
