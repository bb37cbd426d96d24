"""The last steps that all streams of examples and episodes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def drawn(numbers: tf.data.Dataset, draw: Callable[..., Any]) -> tf.data.Dataset:
    """Draws an element for each number, some ahead of their use, in order.

    `tf.data` is told to leave the dataset's graph as it is. To rewrite the graph, it
    would write the graph down with all tensors that it captures, so with a copy of the
    data in memory, for each iterator anew. These graphs gain nothing by it.

    Args:
        numbers: A dataset of numbers, or of batches of numbers.
        draw: The function from an element of `numbers` to what is drawn.

    Returns:
        A dataset of what `draw` returns.
    """
    dataset = numbers.map(draw, num_parallel_calls=2, deterministic=True).prefetch(2)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)
