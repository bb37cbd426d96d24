"""The interface of samplers, which draw batches of episodes."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import tensorflow as tf

Range: TypeAlias = int | tuple[int, int]
Batch: TypeAlias = tuple[dict[str, Any], tf.Tensor]


class Sampler(Protocol):
    """Draws batches of episodes, each a pure function of its number."""

    @property
    def static(self) -> bool:
        """Whether all episodes of a batch have one size, and so can be stacked."""

    def batch(self, indices: tf.Tensor, number: tf.Tensor) -> Batch:
        """Draws episodes, in the graph.

        Args:
            indices: The episodes' numbers, int64 `(tasks,)`.
            number: The batch's number, a scalar int64. The sizes of the batch's
                episodes depend on it where way or shot is a range; nothing else does.

        Returns:
            The Keras pair of `tfmeta.data.episodes`, without the episodes' numbers.
        """
