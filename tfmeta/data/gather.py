"""From example ids to examples."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from tfmeta.data.part import Batch


class Gather:
    """Looks examples up by their ids, in the graph.

    uint8 examples become float32 in [0, 1], others stay as they are.

    Args:
        x: `(examples, *example_shape)`.
    """

    def __init__(self, x: np.ndarray):
        self._array = x

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the examples of `ids`, of shape `(*ids.shape, *example_shape)`."""
        x = tf.gather(self._examples, ids)
        return tf.cast(x, tf.float32) / 255.0 if x.dtype == tf.uint8 else x

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
            "support_y": support_y,
            "query_x": self(query),
        }
        return x, query_y

    @functools.cached_property
    def _examples(self) -> tf.Tensor:
        # Captured by the graph, not a constant inside it.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.convert_to_tensor(self._array)
