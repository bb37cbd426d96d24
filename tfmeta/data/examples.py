"""Batches of single examples, for training a net without episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfmeta.data.augmentation import Augmentation
from tfmeta.data.functions import FunctionSampler, FunctionSplit
from tfmeta.data.gather import Gather
from tfmeta.data.split import Split
from tfmeta.data.stable_hash import stable_hash

Draw: TypeAlias = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def examples(
    split: Split | FunctionSplit,
    *,
    batch_size: int = 64,
    seed: int = 0,
    start: int = 0,
    augment: Any = None,
) -> tf.data.Dataset:
    """Makes the endless stream of a split's examples, drawn at random.

    Batch number i depends on (seed, split's name, i) alone, so a stream that starts
    at `start` goes on as if the batches before had been read. Of classes, examples
    are drawn with replacement, each alike often. Of functions, each example is a
    point of a function of its own.

    Args:
        split: Where to draw from.
        batch_size: Examples in a batch.
        seed: Another seed, other batches.
        start: The first batch's number.
        augment: A Keras preprocessing layer of images, such as `small_moves()`; None
            for images as they are.

    Returns:
        A dataset of `(x, y)` with shapes `(batch_size, *example_shape)` and
        `(batch_size,)`; y is int32, the class's number in the split. uint8 examples
        become float32 in [0, 1], others stay as they are. Of functions y is the value,
        float32 `(batch_size, 1)`.

    Raises:
        ValueError: If `batch_size` is below 1, or functions are to be augmented.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1. Received: {batch_size}.")
    if isinstance(split, FunctionSplit):
        draw = _points(split, batch_size, seed, augment)
    else:
        draw = _members(split, batch_size, seed, augment)
    dataset = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return dataset.map(draw, num_parallel_calls=2, deterministic=True).prefetch(2)


def _members(split: Split, batch_size: int, seed: int, augment: Any) -> Draw:
    """Draws batches of a split's members, by their number."""
    stream = stable_hash(f"{split.name}/examples/{int(seed)}")
    x, y = Gather(split.x), tf.constant(split.y)
    augmentation = None if augment is None else Augmentation(augment)

    def draw(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        key = tf.stack([tf.constant(stream, tf.int64), index])
        ids = tf.random.stateless_uniform(
            (batch_size,), key, 0, len(split.y), tf.int32, alg="philox"
        )
        batch = x(ids)
        if augmentation is not None:
            batch = augmentation(batch, key)
        return batch, tf.gather(y, ids)

    return draw


def _points(split: FunctionSplit, batch_size: int, seed: int, augment: Any) -> Draw:
    """Draws batches of points, each of another function, by their number."""
    if augment is not None:
        raise ValueError(
            f"augment changes images, but the tasks of part {split.name!r} are "
            "functions. Leave it out."
        )
    sampler = FunctionSampler(split, shot=1, query=1, seed=seed)

    def draw(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        functions = index * batch_size + tf.range(batch_size, dtype=tf.int64)
        x, y = sampler.rows(functions)
        return x[:, 0, 0], y[:, 0, 0]

    return draw
