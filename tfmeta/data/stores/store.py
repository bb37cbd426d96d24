"""What a store is: where the examples of a data set lie."""

from __future__ import annotations

import abc
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.nested import map_shapes


class Store(abc.ABC):
    """Examples by their ids, looked up in the graph.

    A sampler knows the ids alone, so an episode is the same, to the bit, whatever store
    its examples lie in.

    Attributes:
        place: "memory" or "disk".
    """

    place: str

    @property
    @abc.abstractmethod
    def shape(self) -> Any:
        """The shape of one example, a tuple; a nest of tuples if examples are nests."""

    @property
    @abc.abstractmethod
    def dtype(self) -> Any:
        """The NumPy dtype of examples; a nest if examples are nests."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @abc.abstractmethod
    def take(self, ids: tf.Tensor) -> Any:
        """Looks examples up, in the graph or eagerly.

        A graph captures what it needs of the store; it holds no example as a constant.

        Args:
            ids: int64 ids in `0..len(self)-1`, of any shape.

        Returns:
            The examples, `(*ids.shape, *shape)`, or a nest of such tensors.
        """

    def read(self, ids: np.ndarray) -> Any:
        """Looks examples up as NumPy arrays; the arguments are those of `take`."""
        with tf.device("CPU:0"):
            found = self.take(tf.constant(ids, tf.int64))
        return tf.nest.map_structure(lambda leaf: leaf.numpy(), found)

    def problem(self) -> str | None:
        """Says why examples cannot be drawn; ask it where drawing has failed.

        Returns:
            A sentence that names the first such example; None if all can be drawn.
        """
        return None

    @property
    def where(self) -> str:
        """Where the examples lie, as texts say it."""
        return "on disk" if self.place == "disk" else f"in {self.place}"

    @property
    def nbytes(self) -> int:
        """The bytes that all examples take in memory."""
        each = map_shapes(
            lambda shape, dtype: math.prod(shape) * np.dtype(dtype).itemsize,
            self.shape,
            self.dtype,
        )
        return len(self) * sum(tf.nest.flatten(each))

    def __repr__(self) -> str:
        """The kind of the store and its size, without its content."""
        return (
            f"{type(self).__name__}({len(self):,} examples of {self.shape}, "
            f"{self.nbytes / 1e6:,.1f} MB, {self.where})"
        )
