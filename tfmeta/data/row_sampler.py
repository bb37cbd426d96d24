"""What draws episodes as rows, from which smaller ones can be cut."""

from __future__ import annotations

from typing import Any, Protocol

import tensorflow as tf

from tfmeta.data.sampler import Sampler


class RowSampler(Sampler, Protocol):
    """Draws the largest episodes that may be needed, a row for each class.

    A row lists the support examples of a class, then its queries; a function or a task
    of values has one row. Smaller episodes are cut from these.
    """

    @property
    def name(self) -> str:
        """The part's name, from which the sizes' random keys are made."""

    @property
    def seed(self) -> int:
        """The seed, from which the sizes' random keys are made."""

    @property
    def way(self) -> int:
        """The number of rows of an episode."""

    def rows(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws episodes as rows.

        Args:
            indices: The episodes' numbers, int64 `(tasks,)`.

        Returns:
            What stands for the examples, and their targets, each
            `(tasks, way, shot + query, ...)`.
        """

    def examples(self, x: tf.Tensor) -> Any:
        """The examples that entries of the first of the rows stand for.

        Args:
            x: Entries, `(tasks, n, ...)`.

        Returns:
            A nest of tensors, `(tasks, n, ...)`.
        """
