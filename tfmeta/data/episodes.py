"""Batches of episodes as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.augmentation import Augmentation
from tfmeta.data.sampler import EpisodeSampler
from tfmeta.data.split import Split


def episodes(
    split: Split,
    *,
    way: int,
    shot: int,
    query: int | None = 15,
    tasks: int = 1,
    seed: int = 0,
    start: int = 0,
    count: int | None = None,
    augment: Any = None,
) -> tf.data.Dataset:
    """Makes the stream of episodes of a split.

    Episode number i depends on (seed, split's name, i) alone, so the stream is the
    same for every batch size, and one that starts at `start` goes on as if the
    episodes before had been read. An element is the Keras pair (x, y): a learner
    never sees `y`, the query labels. An episode lists its examples label by label,
    which no learner may rely on; which class has which label is random.

    Args:
        split: Where to draw from.
        way: Classes an episode.
        shot: Support examples a class.
        query: Query examples a class; None takes all that the support leaves.
        tasks: Episodes a batch.
        seed: Another seed, other episodes.
        start: The first episode's number; counts episodes, not batches.
        count: How many episodes; None for a stream without end. The last batch is
            smaller where `tasks` does not divide it.
        augment: A Keras preprocessing layer of images, such as `small_moves()`, that
            changes each example anew in every episode; None for images as they are.

    Returns:
        A dataset of `({"support_x", "support_y", "query_x"}, query_y)` with shapes
        `(tasks, way * shot, *example_shape)`, `(tasks, way * shot)`,
        `(tasks, way * query, *example_shape)` and `(tasks, way * query)`. Labels are
        int32 in `0..way-1`. uint8 examples become float32 in [0, 1], others stay as
        they are.

    Raises:
        ValueError: Where the split has no such episodes, or where a batch of several
            would not be rectangular.

    Example:
        >>> x = np.zeros((40, 2, 2, 1), np.uint8)
        >>> names = ("a", "b", "c", "d")
        >>> split = Split("train", x, np.repeat(np.arange(4), 10), names)
        >>> batches = episodes(split, way=3, shot=1, query=2, tasks=5, count=10)
        >>> for x, query_y in batches:
        ...     print(x["support_x"].shape, query_y.shape)
        (5, 3, 2, 2, 1) (5, 6)
        (5, 3, 2, 2, 1) (5, 6)
    """
    for name, value, least in (("tasks", tasks, 1), ("start", start, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}. Received: {value}.")
    if count is not None and count < 1:
        raise ValueError(f"count must be at least 1, or None. Received: {count}.")
    sampler = EpisodeSampler(split, way=way, shot=shot, query=query, seed=seed)
    if tasks > 1 and not sampler.static:
        raise ValueError(
            f"query=None with tasks={tasks} needs classes of one size, but split "
            f"{split.name!r} has classes of {split.counts.min()} to "
            f"{split.counts.max()} examples. Use tasks=1 or a number for query."
        )
    stop = np.iinfo(np.int64).max if count is None else start + count
    whole = count is None or count % tasks == 0
    dataset = tf.data.Dataset.range(start, stop)
    # A map over batches, not over episodes: dispatching one costs more than drawing it.
    dataset = dataset.batch(tasks, drop_remainder=whole)
    gather = _gather_from(split)
    change = (lambda x, _: x) if augment is None else _changed_by(augment, seed)

    def draw(indices: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        x, query_y = gather(*sampler.batch_ids(indices))
        return change(x, indices), query_y

    dataset = dataset.map(draw, num_parallel_calls=2, deterministic=True)
    return dataset.prefetch(2)


def _gather_from(split: Split) -> Callable[..., tuple[dict[str, tf.Tensor], tf.Tensor]]:
    """Returns the function that turns a batch of ids into a batch of episodes."""
    with tf.device("CPU:0"):  # captured by the graph, not a constant inside it
        examples = tf.convert_to_tensor(split.x)

    def gather(
        support: tf.Tensor, support_y: tf.Tensor, query: tf.Tensor, query_y: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        x = {
            "support_x": _scaled(tf.gather(examples, support)),
            "support_y": support_y,
            "query_x": _scaled(tf.gather(examples, query)),
        }
        return x, query_y

    return gather


def _changed_by(
    augment: Any, seed: int
) -> Callable[[dict[str, tf.Tensor], tf.Tensor], dict[str, tf.Tensor]]:
    """Returns the function that augments a batch, given its episodes' numbers."""
    augmentation = Augmentation(augment)

    def change(x: dict[str, tf.Tensor], indices: tf.Tensor) -> dict[str, tf.Tensor]:
        def one(name: str, place: int) -> tf.Tensor:
            # Support and query sets draw from keys of their own.
            stream = tf.fill(tf.shape(indices), tf.constant(2 * seed + place, tf.int64))
            keys = tf.stack([stream, indices], axis=-1)
            return tf.map_fn(
                lambda pair: augmentation(*pair),
                (x[name], keys),
                fn_output_signature=tf.TensorSpec(x[name].shape[1:], tf.float32),
            )

        return {
            **x,
            "support_x": one("support_x", 0),
            "query_x": one("query_x", 1),
        }

    return change


def _scaled(x: tf.Tensor) -> tf.Tensor:
    """Returns uint8 as float32 in [0, 1], anything else as it is."""
    return tf.cast(x, tf.float32) / 255.0 if x.dtype == tf.uint8 else x
