"""Batches of single examples, for training a net without episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfmeta.core.keys import key
from tfmeta.data.function_split import FunctionSplit
from tfmeta.data.part import check_part
from tfmeta.data.pipeline.augmentation import Augmentation, check_images
from tfmeta.data.pipeline.stream import drawn
from tfmeta.data.sampling.function_sampler import FunctionSampler
from tfmeta.data.split import Split
from tfmeta.data.task_split import TaskSplit

Draw: TypeAlias = Callable[[tf.Tensor], tuple[Any, tf.Tensor]]


def examples(
    split: Split | TaskSplit | FunctionSplit,
    *,
    batch_size: int = 64,
    seed: int = 0,
    start: int = 0,
    augment: Any = None,
    views: int = 1,
) -> tf.data.Dataset:
    """Makes the endless stream of a split's examples, drawn at random.

    Batch number i depends on (seed, split's name, i) alone, so a stream that starts
    at `start` goes on as if the batches before had been read. Examples of classes and
    of tasks are drawn with replacement, each as likely as any other. Of functions,
    each example is a point of a function of its own.

    Args:
        split: The part of a source to draw from.
        batch_size: The number of examples in a batch.
        seed: Another seed draws other batches.
        start: The first batch's number.
        augment: A Keras preprocessing layer of images, such as `small_moves()`; None
            for images as they are.
        views: How many times a batch has each of its examples, each time augmented
            otherwise; all first views come before all second ones.

    Returns:
        A dataset of `(x, y)` with shapes `(views * batch_size, *example_shape)` and
        `(views * batch_size,)`; y is int32, the class's number in the split. x is raw,
        in the dtype of the split; where the split's `x` is a nest, so is this one. Of
        tasks y are the values, float32 `(batch_size, ...)`, of functions
        `(batch_size, 1)`.

    Raises:
        ValueError: If `batch_size` is below 1, the split has no examples, what is to
            be augmented is no image, or several views have no augmentation.
    """
    check_part(split)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1. Received: {batch_size}.")
    if views > 1 and augment is None:
        raise ValueError(
            "Several views of an example must differ by an augmentation. Received: "
            f"views={views}, and no augmentation. Give augment, such as "
            "tfmeta.data.flips_and_shifts()."
        )
    if augment is not None:
        check_images(split, augment)
    if isinstance(split, FunctionSplit):
        draw = _points(split, batch_size, seed)
    elif not len(split.y):
        raise ValueError(
            f"Split {split.name!r} must have examples to draw from. Received: none. "
            "Use another split, or share more out to this one."
        )
    else:
        draw = _members(split, batch_size, seed, augment, views)
    return drawn(tf.data.Dataset.range(start, np.iinfo(np.int64).max), draw)


def _members(
    split: Split | TaskSplit, batch_size: int, seed: int, augment: Any, views: int
) -> Draw:
    """Draws batches of a split's members, by their number."""
    end = len(split.y)
    with tf.init_scope(), tf.device("CPU:0"):
        y = tf.constant(split.y)
    purpose = f"examples/{split.name}"
    augmentation = None if augment is None else Augmentation(augment)

    def draw(index: tf.Tensor) -> tuple[Any, tf.Tensor]:
        ids = tf.random.stateless_uniform(
            (batch_size,), key(seed, purpose, index), 0, end, tf.int64, alg="philox"
        )
        if views > 1:
            ids = tf.tile(ids, [views])
        batch = split.take(ids)
        if augmentation is not None:
            batch = augmentation(batch, key(seed, f"augment/{purpose}", index))
        return batch, tf.gather(y, ids)

    return draw


def _points(split: FunctionSplit, batch_size: int, seed: int) -> Draw:
    """Draws batches of points, each of another function, by their number."""
    sampler = FunctionSampler(
        split.function,
        (split.low, split.high),
        name=split.name,
        shot=1,
        query=1,
        seed=seed,
        purpose="examples",
    )

    def draw(index: tf.Tensor) -> tuple[Any, tf.Tensor]:
        functions = index * batch_size + tf.range(batch_size, dtype=tf.int64)
        x, y = sampler.rows(functions)
        return x[:, 0, 0], y[:, 0, 0]

    return draw
