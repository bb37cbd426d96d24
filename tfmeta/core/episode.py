"""The two nouns every part of tfmeta speaks of, and batches of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any
Nest = Any


class Examples(NamedTuple):
    """A set of examples; the leading axis counts them.

    Attributes:
        x: The inputs, a nest of tensors `(examples, ...)`.
        y: `(examples,)` int32 labels in `0..way-1`, or `(examples, ...)` float
            targets.
    """

    x: Nest
    y: Tensor


class Episode(NamedTuple):
    """One draw from a task: learn from `support`, be judged on `query`.

    In a batch every tensor has one more leading axis, that of the tasks.

    Attributes:
        support: The `Examples` a learner adapts to.
        query: The `Examples` it is judged on; none of them is in `support`.
    """

    support: Examples
    query: Examples

    @classmethod
    def from_batch(cls, x: dict[str, Nest], y: Tensor) -> Episode:
        """Reads the Keras example that `tfmeta.data.episodes` yields.

        Args:
            x: `support_x`, `support_y` and `query_x`, as `(tasks, examples, ...)`.
            y: `(tasks, queries)`, the labels or targets of the queries.

        Returns:
            The batch as an `Episode`.

        Raises:
            ValueError: If one of the three inputs is missing.
        """
        missing = sorted({"support_x", "support_y", "query_x"} - set(x))
        if missing:
            raise ValueError(
                "An episode needs the inputs support_x, support_y and query_x, as "
                f"tfmeta.data.episodes yields them. Received: {sorted(x)}; "
                f"missing: {missing}."
            )
        return cls(Examples(x["support_x"], x["support_y"]), Examples(x["query_x"], y))


class Batch(NamedTuple):
    """A Keras example taken apart; every tensor has a leading task axis.

    Attributes:
        episode: The support and query sets.
        counts: Where tasks are padded to one size, a nest like `episode` that holds for
            each tensor the numbers of real rows, `(tasks,)` int32; else None.
        number: `(tasks,)` int64, the episodes' numbers, of which random draws are made;
            None where the batch does not tell.
        task: The tasks' descriptors, a nest; () where there are none.
    """

    episode: Episode
    counts: Episode | None
    number: Tensor | None
    task: Nest

    @classmethod
    def read(cls, x: dict[str, Nest], y: Tensor = None) -> Batch:
        """Takes a Keras example apart.

        Args:
            x: `support_x`, `support_y`, `query_x`; `support_count` and `query_count`
                where tasks differ in size; `episode`, the episodes' numbers; `task_x`,
                the tasks' descriptors.
            y: The labels or targets of the queries; None where there are none to see.

        Returns:
            The batch.

        Raises:
            ValueError: If an input is missing, or only one of the two counts is there.
        """
        episode = Episode.from_batch(x, y)
        support, query = x.get("support_count"), x.get("query_count")
        counts = None
        if (support is None) != (query is None):
            raise ValueError(
                "A padded batch needs both support_count and query_count. Received: "
                f"{sorted(x)}."
            )
        if support is not None:
            counts = Episode(
                tf.nest.map_structure(lambda _: support, episode.support),
                tf.nest.map_structure(
                    lambda t: None if t is None else query, episode.query
                ),
            )
        sets = (part._replace(y=_int32(part.y)) for part in episode)
        episode = Episode(*sets)
        return cls(episode, counts, x.get("episode"), x.get("task_x", ()))

    @property
    def num_tasks(self) -> Tensor:
        """How many tasks there are, a scalar int32 tensor."""
        return tf.shape(self.episode.support.y)[0]


def _int32(y: Tensor) -> Tensor:
    """Labels of any integer type as int32; floats as they are."""
    dtype = getattr(y, "dtype", None)
    if dtype is None or tf.as_dtype(dtype).is_floating:
        return y
    return tf.cast(y, tf.int32)
