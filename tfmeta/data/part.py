"""What episodes are drawn from, and what draws them."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import tensorflow as tf

Range: TypeAlias = int | tuple[int, int]
Batch: TypeAlias = tuple[dict[str, tf.Tensor], tf.Tensor]


class Sampler(Protocol):
    """Draws batches of episodes, each a pure function of its number."""

    @property
    def static(self) -> bool:
        """Whether the episodes of any batch can be stacked."""

    def batch(self, indices: tf.Tensor) -> Batch:
        """Draws episodes, in the graph.

        Args:
            indices: The episodes' numbers, int64 `(tasks,)`.

        Returns:
            The Keras pair of `tfmeta.data.episodes`.
        """


class Part(Protocol):
    """The meta-train, meta-val or meta-test part of a source.

    `Split` is one of classes, `FunctionSplit` one of functions.
    """

    @property
    def name(self) -> str:
        """One of "train", "val" and "test"; part of what seeds the episodes."""

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example."""

    @property
    def dtype(self) -> Any:
        """The examples' NumPy dtype, as they are stored."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes; none where tasks are functions, which have no way."""

    def sampler(
        self,
        *,
        way: Range | None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes what draws its episodes; the arguments are those of `episodes`.

        Raises:
            ValueError: Where there are no such episodes.
        """
