"""Draws functions, and points on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

from tfmeta.core.keys import key
from tfmeta.data.sampling.sampler import Batch

Function: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class FunctionSampler:
    """Draws functions, and points on them, each a pure function of its number.

    Args:
        function: From a key and points to values; see `FunctionSplit`.
        ends: The lowest and the highest x.
        name: The part's name, which is part of what seeds the draws.
        shot: The number of support points.
        query: The number of query points.
        seed: Another seed draws other functions.
        purpose: A word for what the functions are drawn for; another word draws other
            functions.
    """

    static = True
    way = 1

    def __init__(
        self,
        function: Function,
        ends: tuple[float, float],
        *,
        name: str,
        shot: int,
        query: int,
        seed: int,
        purpose: str = "episodes",
    ):
        self.name, self.seed, self.shot, self.query = name, seed, shot, query
        self._function, self._ends, self._purpose = function, ends, purpose

    def batch(self, indices: tf.Tensor, number: tf.Tensor) -> Batch:
        """Draws episodes; see `Sampler.batch`."""
        del number  # All episodes have one size.
        points, values = (rows[:, 0] for rows in self.rows(indices))
        x = {
            "support_x": points[:, : self.shot],
            "support_y": values[:, : self.shot],
            "query_x": points[:, self.shot :],
        }
        return x, values[:, self.shot :]

    def rows(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws functions.

        Args:
            indices: The functions' numbers, integers `(tasks,)`.

        Returns:
            Points and values, each float32 `(tasks, 1, shot + query, 1)`.
        """
        purpose = f"{self._purpose}/{self.name}"
        keys = (
            key(self.seed, f"{purpose}/points", indices),
            key(self.seed, purpose, indices),
        )
        signature = (tf.float32, tf.float32)
        x, y = tf.map_fn(self._draw, keys, fn_output_signature=signature)
        return x[:, tf.newaxis], y[:, tf.newaxis]

    def examples(self, x: tf.Tensor) -> tf.Tensor:
        """Points are examples already."""
        return x

    def _draw(self, keys: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        of_points, of_function = keys
        shape = (self.shot + self.query, 1)
        x = tf.random.stateless_uniform(shape, of_points, *self._ends, alg="philox")
        return x, tf.ensure_shape(self._function(of_function, x), shape)
