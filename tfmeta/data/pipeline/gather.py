"""From example ids to examples."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.sampling.sampler import Batch


class Gather:
    """Looks examples up by their ids, in the graph.

    Args:
        x: `(examples, *example_shape)`, or a nest of such arrays.
        values: The targets of the examples, `(examples, ...)`, where they are values;
            None where they are labels, which depend on the episode.
    """

    def __init__(self, x: Any, values: np.ndarray | None = None):
        self._arrays, self._values = x, None if values is None else Gather(values)

    def __call__(self, ids: tf.Tensor) -> Any:
        """Looks examples up.

        Args:
            ids: Integers of any shape.

        Returns:
            The examples, `(*ids.shape, *example_shape)`, or a nest of such tensors.
        """
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, ids), self._examples)

    def targets(self, ids: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The targets of examples.

        Args:
            ids: Example ids of any shape.
            labels: Their labels in the episode, of the same shape.

        Returns:
            The labels, or the values of `ids`, `(*ids.shape, ...)`.
        """
        return labels if self._values is None else self._values(ids)

    def batch(
        self,
        support: tf.Tensor,
        support_y: tf.Tensor,
        query: tf.Tensor,
        query_y: tf.Tensor,
    ) -> Batch:
        """Turns a batch of ids and labels into the Keras pair of `episodes`.

        Args:
            support: Example ids, `(tasks, way * shot)`.
            support_y: Their labels.
            query: Example ids, `(tasks, way * query)`.
            query_y: Their labels.

        Returns:
            `({"support_x", "support_y", "query_x"}, query_y)`.
        """
        x = {
            "support_x": self(support),
            "support_y": self.targets(support, support_y),
            "query_x": self(query),
        }
        return x, self.targets(query, query_y)

    @functools.cached_property
    def _examples(self) -> Any:
        # Captured by the graph, not a constant inside it.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.nest.map_structure(tf.convert_to_tensor, self._arrays)
