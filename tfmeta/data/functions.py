"""Tasks that are functions of a number, for regression."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from tfmeta.data.part import Batch, Range, Sampler
from tfmeta.data.source import Source
from tfmeta.data.stable_hash import stable_hash
from tfmeta.data.variable_sampler import bounds, varied

Function: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True, eq=False)
class FunctionSplit:
    """A family of functions; a task is one of them, drawn at random.

    The three parts of a source draw from the same family, each from a stream of its
    own: no function is drawn twice but by chance.

    Args:
        name: "train", "val" or "test"; it is part of what seeds the episodes.
        function: From a key and x, `(points, 1)` float32, to the function's values at
            x, of the same shape. The key, `(2,)` int64, says which function it is: all
            that is random is drawn from it by stateless operations of TensorFlow.
        low: The lowest x.
        high: The highest x.

    Raises:
        ValueError: If `low` is not below `high`, or one of them is infinite.
    """

    name: str
    function: Function
    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(
                "low and high must be finite, and low below high. Received: "
                f"low={self.low}, high={self.high}."
            )

    @property
    def example_shape(self) -> tuple[int, ...]:
        """One example is one number."""
        return (1,)

    @property
    def dtype(self) -> np.dtype:
        """Examples are float32."""
        return np.dtype(np.float32)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Functions have no classes."""
        return ()

    def sampler(
        self,
        *,
        way: Range | None = None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes what draws its episodes; the arguments are those of `episodes`.

        Args:
            way: None: a function has no classes.
            shot: Support points, or a range.
            query: Query points.
            seed: Another seed, other episodes.
            unequal_shots: Whether each task draws its own shot.

        Returns:
            The sampler.

        Raises:
            ValueError: If a way is given, or a number is not as it must be.
        """
        if way is not None:
            raise ValueError(
                f"The tasks of part {self.name!r} are functions, which have no "
                f"classes, so way must be None. Received: way={way}. Leave it out."
            )
        most = FunctionSampler(
            self, shot=bounds("shot", shot)[1], query=query, seed=seed
        )
        return varied(most, way=1, shot=shot, unequal_shots=unequal_shots)


class FunctionSampler:
    """Draws functions, and points on them.

    Args:
        split: The family.
        shot: Support points.
        query: Query points.
        seed: Another seed, other episodes.

    Raises:
        ValueError: If a number is below 1.
    """

    static = True

    def __init__(
        self, split: FunctionSplit, *, shot: int, query: int | None, seed: int
    ):
        bounds("shot", shot)
        if query is None:
            raise ValueError(
                "A function has no end of points, so query must be a number. Received: "
                "query=None."
            )
        self.split = split
        self.way, self.shot, self.query = 1, shot, bounds("query", query)[1]
        self.stream = stable_hash(f"{split.name}/{int(seed)}")

    def batch(self, indices: tf.Tensor) -> Batch:
        """Draws episodes; see `Sampler.batch`."""
        x, y = (rows[:, 0] for rows in self.rows(indices))
        x = {
            "support_x": x[:, : self.shot],
            "support_y": y[:, : self.shot],
            "query_x": x[:, self.shot :],
        }
        return x, y[:, self.shot :]

    def rows(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Points and values, each `(tasks, 1, shot + query, 1)`."""
        x, y = tf.map_fn(
            self._draw, indices, fn_output_signature=(tf.float32, tf.float32)
        )
        return x[:, tf.newaxis], y[:, tf.newaxis]

    def examples(self, x: tf.Tensor) -> tf.Tensor:
        """Points are examples already."""
        return x

    def _draw(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        key = tf.stack([tf.constant(self.stream, tf.int64), index])
        of_x, of_function = tf.unstack(tf.random.split(key, alg="philox"))
        x = tf.random.stateless_uniform(
            (self.shot + self.query, 1),
            of_x,
            self.split.low,
            self.split.high,
            alg="philox",
        )
        return x, tf.ensure_shape(self.split.function(of_function, x), x.shape)


def from_function(
    function: Function,
    *,
    low: float = -5.0,
    high: float = 5.0,
    name: str = "functions",
) -> Source:
    """Makes a source of regression tasks from a family of functions.

    Args:
        function: Of a key and x, see `FunctionSplit`.
        low: The lowest x; x is drawn evenly.
        high: The highest x.
        name: The source's name.

    Returns:
        Its three parts, whose episodes have no way: `y` is `(tasks, points, 1)`.

    Raises:
        ValueError: If `low` is not below `high`.

    Example:
        >>> from tfmeta.data import episodes
        >>> def parabola(key, x):
        ...     return tf.random.stateless_uniform((), key, -1.0, 1.0) * x**2
        >>> source = from_function(parabola, low=-2.0, high=2.0)
        >>> x, y = next(iter(episodes(source.train, shot=5, query=10, tasks=4)))
        >>> x["support_x"].shape, y.shape
        (TensorShape([4, 5, 1]), TensorShape([4, 10, 1]))
    """
    parts = (FunctionSplit(p, function, low, high) for p in ("train", "val", "test"))
    return Source(name, *parts)
