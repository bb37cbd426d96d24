"""Sets of examples, episodes, and batches of episodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any
Nest = Any  # A tensor, or dicts, lists and tuples of tensors, nested at will.


class Examples(NamedTuple):
    """A set of examples; the leading axis of each tensor counts the examples.

    Attributes:
        x: The inputs, a nest of tensors `(examples, ...)`.
        y: `(examples,)` int32 labels in `0..way-1`, or `(examples, ...)` float
            targets.
    """

    x: Nest
    y: Tensor

    def __repr__(self) -> str:
        """The dtypes and shapes, without the numbers."""
        return f"Examples(x={shapes(self.x)}, y={shapes(self.y)})"


NO_EXAMPLES = Examples((), ())  # What a learner that does not adapt is given.


class Episode(NamedTuple):
    """One draw from a task: a learner adapts to `support` and is judged on `query`.

    In a batch every tensor has one more leading axis, that of the tasks.

    Attributes:
        support: The `Examples` that a learner adapts to.
        query: The `Examples` that the learner is judged on; no example is in both sets.
    """

    support: Examples
    query: Examples

    @classmethod
    def from_batch(cls, x: dict[str, Nest], y: Tensor) -> Episode:
        """Makes an `Episode` of a batch `(x, y)` that `tfmeta.data.episodes` yields.

        Args:
            x: A dict with `support_x`, `support_y` and `query_x`, each
                `(tasks, examples, ...)`.
            y: The labels `(tasks, queries)` or the targets `(tasks, queries, ...)` of
                the queries.

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


def shapes(nest: Nest) -> str:
    """A nest of tensors as text: the dtype and the shape of each.

    Args:
        nest: A tensor, an array, a `tf.TensorSpec`, or a nest of them.

    Example:
        >>> shapes({"image": tf.zeros((2, 28, 28, 1), tf.uint8), "weight": None})
        '{image: uint8 (2, 28, 28, 1), weight: None}'
    """
    if isinstance(nest, dict):
        return f"{{{', '.join(f'{name}: {shapes(t)}' for name, t in nest.items())}}}"
    if isinstance(nest, list | tuple):
        return f"({', '.join(map(shapes, nest))})"
    if not hasattr(nest, "shape") or not hasattr(nest, "dtype"):
        return "None" if nest is None else type(nest).__name__
    dtype = getattr(nest.dtype, "name", nest.dtype)
    shape = nest.shape
    return f"{dtype} {'of any shape' if _rank(shape) is None else tuple(shape)}"


def _rank(shape: Any) -> int | None:
    return shape.rank if isinstance(shape, tf.TensorShape) else len(shape)


class Batch(NamedTuple):
    """A batch `(x, y)` of episodes by its parts; every tensor has a leading task axis.

    Attributes:
        episode: The support and query sets.
        counts: The numbers of real rows where tasks are padded to one size: a nest like
            `episode`, with `(tasks,)` integers for each tensor. None without padding.
        number: The number of each episode, `(tasks,)` int64, from which the task's
            random draws derive; None where the batch has no numbers.
        task: The descriptor of each task, a nest of tensors that describe the task to
            the learner; () where tasks have none.
    """

    episode: Episode
    counts: Episode | None
    number: Tensor | None
    task: Nest

    @classmethod
    def read(cls, x: dict[str, Nest], y: Tensor = None) -> Batch:
        """Takes a batch `(x, y)` apart.

        Args:
            x: A dict with `support_x`, `support_y` and `query_x`. It also has
                `support_count` and `query_count` where tasks differ in size, and may
                have `episode`, the episodes' numbers, and `task_x`, the descriptors.
            y: The labels or targets of the queries; None if they are not known.

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
    def task_counts(self) -> Nest:
        """The counts of `task`, a nest of None: descriptors have no padding."""
        return tf.nest.map_structure(lambda _: None, self.task)

    @property
    def num_tasks(self) -> Tensor:
        """The number of tasks, a scalar int32 tensor."""
        return tf.shape(self.episode.support.y)[0]


def _int32(y: Tensor) -> Tensor:
    """Casts integer labels to int32; floats and None stay as they are."""
    dtype = getattr(y, "dtype", None)
    if dtype is None or tf.as_dtype(dtype).is_floating:
        return y
    return tf.cast(y, tf.int32)
