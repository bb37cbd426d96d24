"""The interface of samplers that draw episodes as rows, to cut smaller ones from."""

from __future__ import annotations

from typing import Any, Protocol

import tensorflow as tf

from tfmeta.data.sampling.sampler import Sampler


class RowSampler(Sampler, Protocol):
    """Draws the largest episodes that may be needed, a row for each class.

    A row lists the support examples of a class, then its queries. A function or a task
    of values has one row. Smaller episodes are cut from these rows.
    """

    @property
    def name(self) -> str:
        """The part's name, on which the random sizes of episodes depend."""

    @property
    def seed(self) -> int:
        """The seed, on which the random sizes of episodes depend."""

    @property
    def way(self) -> int:
        """The number of rows of an episode."""

    def rows(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws episodes as rows.

        Args:
            indices: The episodes' numbers, int64 `(tasks,)`.

        Returns:
            Entries that stand for the examples, such as example ids, and the targets of
            the examples; each is `(tasks, way, shot + query, ...)`.
        """

    def examples(self, x: tf.Tensor) -> Any:
        """The examples that entries stand for.

        Args:
            x: Entries that `rows` returned, `(tasks, n, ...)`.

        Returns:
            A nest of tensors, `(tasks, n, ...)`.
        """
