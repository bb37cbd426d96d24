"""Batches in pieces so small that an evaluation can tell progress and be stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor

# Called with the number of episodes that are done, and of how many.
Progress: TypeAlias = Callable[[int, int], None]

_SECONDS = 0.5  # What one call should take: Python sees Ctrl-C only between calls.


class Pace:
    """How many tasks one call may take, learned from the calls before.

    It begins with as many tasks as the machine has cores. A call that ends within half
    the time doubles the number, one that takes twice the time halves it. Where each
    operation has one thread, tasks run side by side, one on each core, and a call with
    fewer tasks would be no shorter.
    """

    def __init__(self) -> None:
        self.tasks = os.cpu_count() or 1
        one_thread = tf.config.threading.get_intra_op_parallelism_threads() == 1
        self._least = self.tasks if one_thread else 1

    def took(self, tasks: int, seconds: float) -> None:
        """Learns from a call.

        Args:
            tasks: The number of tasks of the call.
            seconds: The time that the call took.
        """
        if seconds > 2 * _SECONDS:
            self.tasks = max(self._least, tasks // 2)
        elif seconds < _SECONDS / 2:
            self.tasks = max(self.tasks, 2 * tasks)


def in_short_calls(
    stream: tf.data.Dataset, episodes: int, progress: Progress | None = None
) -> Iterator[tuple[dict[str, Nest], Tensor]]:
    """Cuts batches of episodes into pieces that each take about half a second.

    Args:
        stream: Batches of episodes, as `tfmeta.data.episodes` yields them.
        episodes: The number of episodes in all.
        progress: A function to call after each piece; None for none.

    Yields:
        The pairs `(x, y)` of the pieces. What is done with a piece before the next one
        is asked for is what takes time.
    """
    pace, done = Pace(), 0
    for batch in stream:
        size, first = int(batch[1].shape[0]), 0
        while first < size:
            last = min(first + pace.tasks, size)
            start = time.perf_counter()
            yield _piece(batch, first, last)
            pace.took(last - first, time.perf_counter() - start)
            done += last - first
            first = last
            if progress is not None:
                progress(done, episodes)


def _piece(batch: Nest, first: int, last: int) -> Nest:
    return tf.nest.map_structure(lambda t: t[first:last], batch)
