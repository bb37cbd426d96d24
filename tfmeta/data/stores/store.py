"""The interface of stores, in which the examples of a data set lie."""

from __future__ import annotations

from typing import Any, Protocol

import tensorflow as tf


class Store(Protocol):
    """Examples by their ids, looked up in the graph.

    A sampler knows the ids alone, so an episode is the same, to the bit, whatever store
    its examples lie in.
    """

    @property
    def shape(self) -> Any:
        """The shape of one example, a tuple; a nest of tuples if examples are nests."""

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of examples; a nest if examples are nests."""

    def __len__(self) -> int:
        """The number of examples."""

    def take(self, ids: tf.Tensor) -> Any:
        """Looks examples up, in the graph or eagerly.

        A graph captures what it needs of the store; it holds no example as a constant.

        Args:
            ids: int64 ids in `0..len(self)-1`, of any shape.

        Returns:
            The examples, `(*ids.shape, *shape)`, or a nest of such tensors.
        """
