"""Batches of episodes as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core.keys import key
from tfmeta.data.part import Part, check_part
from tfmeta.data.pipeline.augmentation import Augmentation, check_images
from tfmeta.data.pipeline.stream import drawn
from tfmeta.data.sampling.sampler import Batch, Range


def episodes(
    split: Part,
    *,
    way: Range | None = None,
    shot: Range,
    query: int | None = 15,
    tasks: int = 1,
    seed: int = 0,
    start: int = 0,
    count: int | None = None,
    augment: Any = None,
    unequal_shots: bool = False,
) -> tf.data.Dataset:
    """Makes the stream of episodes of a split.

    Episode number i depends on (seed, split's name, i) alone, so the stream is the
    same for every batch size, and a stream that starts at `start` goes on as if the
    episodes before had been read. An element is a pair (x, y) as Keras takes it; `y`
    holds the query labels, which `adapt` and `predict` never see. An episode lists its
    examples label by label, but no learner may rely on this order. A class has a random
    label in each episode.

    Way and shot may be inclusive ranges. They are drawn once for a batch, from the
    batch's number: the number of its first episode divided by `tasks`, rounded down.
    Such a stream is the same only for the same `tasks`, and can be continued only if
    `start` is a multiple of `tasks`.

    Args:
        split: The part of a source to draw from.
        way: The number of classes of an episode, or a range such as `(5, 20)`; None
            where `y` holds values, and an episode is one task or one function.
        shot: The number of support examples of each class (or of the task), or a
            range.
        query: The number of query examples of each class (or of the task); None takes
            all that the support leaves.
        tasks: The number of episodes in a batch.
        seed: Another seed draws other episodes.
        start: The number of the first episode; it counts episodes, not batches.
        count: The number of episodes; None makes a stream without end. The last batch
            is smaller where `tasks` does not divide the number.
        augment: A Keras preprocessing layer of images, such as `small_moves()`, that
            changes each example anew in every episode; None for images as they are.
        unequal_shots: Whether each class of an episode (or each task) draws its own
            shot from the range.

    Returns:
        A dataset of `({"support_x", "support_y", "query_x", "episode"}, query_y)`
        with shapes `(tasks, way * shot, *example_shape)`, `(tasks, way * shot)`,
        `(tasks, way * query, *example_shape)`, `(tasks,)` and `(tasks, way * query)`.
        Labels are int32 in `0..way-1`; "episode" is int64, the episodes' numbers.
        Examples are raw, in the dtype of the split: a model's preparation scales
        pictures. Where the split's `x` is a nest, "support_x" and "query_x" are nests
        of its structure.
        Where `y` holds values, they are float32, `(tasks, shot, ...)` in the support
        set and `(tasks, query, ...)` in the query set; values of functions end in an
        axis of size 1. With unequal shots support sets are padded at their ends, and
        `x` also has "support_count" and "query_count", `(tasks,)` int32, the numbers of
        real examples.

    Raises:
        ValueError: If `split` is no part or has no such episodes, or if the episodes of
            a batch would differ in size because `query` is None.

    Example:
        >>> from tfmeta.data import Split
        >>> x = np.zeros((40, 2, 2, 1), np.uint8)
        >>> names = ("a", "b", "c", "d")
        >>> split = Split("train", x, np.repeat(np.arange(4), 10), names)
        >>> batches = episodes(split, way=3, shot=1, query=2, tasks=5, count=10)
        >>> for x, query_y in batches:
        ...     print(x["support_x"].shape, query_y.shape)
        (5, 3, 2, 2, 1) (5, 6)
        (5, 3, 2, 2, 1) (5, 6)
    """
    check_part(split)
    sampler = split.sampler(
        way=way, shot=shot, query=query, seed=seed, unequal_shots=unequal_shots
    )
    if tasks > 1 and not sampler.static:
        kinds = "classes" if split.class_names else "tasks"
        raise ValueError(
            f"query=None with tasks={tasks} needs {kinds} of one size, but those of "
            f"split {split.name!r} differ. Give query a number, or use tasks=1."
        )
    if augment is not None:
        check_images(split, augment)
    change = (lambda x, _: x) if augment is None else _changed_by(augment, seed)

    def draw(indices: tf.Tensor, number: tf.Tensor) -> Batch:
        x, query_y = sampler.batch(indices, number)
        return change(x, indices), query_y

    return batches(draw, tasks=tasks, start=start, count=count)


def batches(
    draw: Callable[[tf.Tensor, tf.Tensor], Batch],
    *,
    tasks: int,
    start: int,
    count: int | None,
) -> tf.data.Dataset:
    """Makes a stream of batches from a function that draws one.

    Args:
        draw: A function of the episodes' numbers, int64 `(tasks,)`, and of the batch's
            number, a scalar int64. It returns the Keras pair `(x, y)`.
        tasks: The number of episodes in a batch.
        start: The first episode's number.
        count: The number of episodes; None makes a stream without end.

    Returns:
        The dataset of the pairs, whose `x` also has the episodes' numbers, "episode".

    Raises:
        ValueError: If a number is out of range.
    """
    for name, value, least in (("tasks", tasks, 1), ("start", start, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}. Received: {value}.")
    if count is not None and count < 1:
        raise ValueError(f"count must be at least 1, or None. Received: {count}.")
    stop = np.iinfo(np.int64).max if count is None else start + count
    whole = count is None or count % tasks == 0
    dataset = tf.data.Dataset.range(start, stop)
    # The map is over batches: dispatching a single episode costs more than drawing it.
    dataset = dataset.batch(tasks, drop_remainder=whole)

    def numbered(indices: tf.Tensor) -> Batch:
        x, query_y = draw(indices, indices[0] // tasks)
        return {**x, "episode": indices}, query_y

    return drawn(dataset, numbered)


def _changed_by(
    augment: Any, seed: int
) -> Callable[[dict[str, tf.Tensor], tf.Tensor], dict[str, tf.Tensor]]:
    """Returns the function that augments a batch, given its episodes' numbers."""
    augmentation = Augmentation(augment)

    def change(x: dict[str, tf.Tensor], indices: tf.Tensor) -> dict[str, tf.Tensor]:
        def one(part: str) -> tf.Tensor:
            images = x[f"{part}_x"]
            return tf.map_fn(
                lambda pair: augmentation(*pair),
                (images, key(seed, f"augment/{part}", indices)),
                fn_output_signature=tf.TensorSpec(images.shape[1:], images.dtype),
            )

        return {**x, "support_x": one("support"), "query_x": one("query")}

    return change
