"""Batches of single examples, for training a net without episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.augmentation import Augmentation
from tfmeta.data.gather import Gather
from tfmeta.data.split import Split
from tfmeta.data.stable_hash import stable_hash


def examples(
    split: Split,
    *,
    batch_size: int = 64,
    seed: int = 0,
    start: int = 0,
    augment: Any = None,
) -> tf.data.Dataset:
    """Makes the endless stream of a split's examples, drawn at random.

    Batch number i depends on (seed, split's name, i) alone, so a stream that starts
    at `start` goes on as if the batches before had been read. Examples are drawn
    with replacement, each alike often.

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
        become float32 in [0, 1], others stay as they are.

    Raises:
        ValueError: If `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1. Received: {batch_size}.")
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

    dataset = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return dataset.map(draw, num_parallel_calls=2, deterministic=True).prefetch(2)
