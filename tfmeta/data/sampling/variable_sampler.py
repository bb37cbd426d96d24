"""Draws episodes whose way and shot are random."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.core.keys import key
from tfmeta.data.sampling.random_bits import random_bits
from tfmeta.data.sampling.row_sampler import RowSampler
from tfmeta.data.sampling.sampler import Batch


class VariableSampler:
    """Cuts episodes of a random way and shot from larger episodes.

    Way and shot are drawn once for a batch, from the batch's number, so that all
    episodes of a batch have the same size. From an episode of the largest way and shot,
    only the first classes are kept, and from each class only the first examples.

    With unequal shots every row of an episode (each class, or the one row of a
    function or a task) draws its own shot, from the episode's own number. Then support
    sets differ in size: they are padded with zeros at their ends, and `x` also has
    `support_count` and `query_count`, `(tasks,)` int32, the numbers of real examples.

    Args:
        largest: The sampler that draws the larger episodes.
        way: The lowest and the highest number of rows of an episode.
        shot: The lowest and the highest number of support examples in a row.
        query: The number of query examples in a row.
        unequal_shots: Whether each row draws its own shot.
    """

    static = True

    def __init__(
        self,
        largest: RowSampler,
        *,
        way: tuple[int, int],
        shot: tuple[int, int],
        query: int,
        unequal_shots: bool = False,
    ):
        self.way, self.shot, self.query = way, shot, query
        self.unequal_shots, self._largest = unequal_shots, largest

    def batch(self, indices: tf.Tensor, number: tf.Tensor) -> Batch:
        """Draws episodes; see `Sampler.batch`."""
        way, shot = self.sizes(number)
        x, y = (rows[:, :way] for rows in self._largest.rows(indices))
        if self.unequal_shots:
            return self._ragged(x, y, self.shots(indices)[:, :way])
        end = shot + self.query
        batch = {
            "support_x": self._largest.examples(_flat(x[:, :, :shot])),
            "support_y": _flat(y[:, :, :shot]),
            "query_x": self._largest.examples(_flat(x[:, :, shot:end])),
        }
        return batch, _flat(y[:, :, shot:end])

    def sizes(self, number: tf.Tensor) -> tuple[Any, Any]:
        """Draws the way and shot of a batch.

        Args:
            number: The batch's number, a scalar integer.

        Returns:
            The way and the shot, each a scalar int32, or a Python integer if it is no
            range.
        """
        bits = random_bits(self._keys("sizes", tf.reshape(number, (1,))), 2)[0]
        return _within(self.way, bits[0]), _within(self.shot, bits[1])

    def shots(self, indices: tf.Tensor) -> tf.Tensor:
        """Draws the shot of each row where shots are unequal.

        Args:
            indices: The episodes' numbers, integers `(tasks,)`.

        Returns:
            `(tasks, way)` int32.
        """
        bits = random_bits(self._keys("shots", indices), self._largest.way)
        return _within(self.shot, bits)

    def _keys(self, purpose: str, numbers: tf.Tensor) -> tf.Tensor:
        purpose = f"{purpose}/{self._largest.name}"
        return key(self._largest.seed, purpose, numbers)

    def _ragged(self, x: tf.Tensor, y: tf.Tensor, shots: tf.Tensor) -> Batch:
        """Cuts rows at shots of their own and pads the support sets."""
        place, start = tf.range(x.shape[2]), shots[:, :, tf.newaxis]
        support = place < start
        query = (place >= start) & (place < start + self.query)
        most: list[int | None] = [None, None]
        if self.way[0] == self.way[1]:
            most = [self.way[1] * n for n in (self.shot[1], self.query)]
        ids, counts = _packed(x, support, most[0])
        targets, _ = _packed(y, support, most[0])
        asked, query_counts = _packed(x, query, most[1])
        query_y, _ = _packed(y, query, most[1])
        batch = {
            "support_x": _cleared(self._largest.examples(ids), counts),
            "support_y": targets,
            "query_x": self._largest.examples(asked),
            "support_count": counts,
            "query_count": query_counts,
        }
        return batch, query_y


def _within(ends: tuple[int, int], bits: tf.Tensor) -> Any:
    """Draws int32 numbers from a range, one for each entry of the int64 `bits`."""
    low, high = ends
    if low == high:
        return low
    return low + tf.cast(tf.math.floormod(bits, high - low + 1), tf.int32)


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
        width: The length of the result; None takes the largest number of any task.

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


def _cleared(x: Any, counts: tf.Tensor) -> Any:
    """Sets all but the first `counts` examples of each task to zero."""

    def clear(leaf: tf.Tensor) -> tf.Tensor:
        real = tf.sequence_mask(counts, tf.shape(leaf)[1])
        for _ in leaf.shape[2:]:
            real = real[..., tf.newaxis]
        return tf.where(real, leaf, tf.zeros((), leaf.dtype))

    return tf.nest.map_structure(clear, x)
