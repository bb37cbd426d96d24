"""Chooses the task map that is the fastest on a batch of tasks."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.core import STRATEGIES

AUTO = "auto"
_TIMED_STEPS = 3
# The frames from the warning to the caller of `MetaModel.fit`.
_TO_CALLER_OF_FIT = 5


def choose_task_map(model: Any, data: Any) -> str:
    """Times the task maps on one batch.

    "compiled" is left out if XLA cannot compile the learner's work, or if the compiled
    graph fails on the batch. If "loop" fails on it, the error is raised. If tasks
    differ in size, the answer is "loop", because "compiled" would compile anew for each
    size. If a net has random layers, the answer is "loop" too, because the masks must
    not depend on which strategy was faster.

    Args:
        model: A `MetaModel`, whose `task_map` stays as it is.
        data: The dataset that `tfmeta.data.episodes` returned, or a batch `(x, y)` of
            it.

    Returns:
        The name of the fastest task map.

    Warns:
        UserWarning: If `tfmeta.one_thread_a_task` would let the tasks of a step run
            side by side, and was not called.
    """
    stream = isinstance(data, tf.data.Dataset)
    x = (data.element_spec if stream else data)[0]
    _advise_one_thread(tf.nest.flatten(x)[0].shape[0])
    if model.learner.random or not _of_one_size(x):
        return "loop"
    batch = next(iter(data)) if stream else data
    seconds = {name: _seconds(model, name, batch) for name in STRATEGIES}
    return min(seconds, key=seconds.__getitem__)


def _seconds(model: Any, strategy: str, data: Any) -> float:
    x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    before, model.task_map = model.task_map, strategy
    try:
        function = tf.function(model.meta_gradients, autograph=False)
        step = function.get_concrete_function(x, y)
        tf.nest.map_structure(np.asarray, step(x, y))
        times = []
        for _ in range(_TIMED_STEPS):
            start = time.perf_counter()
            tf.nest.map_structure(np.asarray, step(x, y))
            times.append(time.perf_counter() - start)
        return min(times)
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        if strategy == "loop":
            raise
        return float("inf")
    finally:
        model.task_map = before


def _advise_one_thread(num_tasks: int | None) -> None:
    """Warns where tasks share the cores although each could have one of its own.

    Args:
        num_tasks: The number of tasks in a step; None if it varies.
    """
    if (
        num_tasks == 1
        or os.cpu_count() == 1
        or tf.config.threading.get_intra_op_parallelism_threads() != 0  # 0: not set.
        or "TF_NUM_INTRAOP_THREADS" in os.environ
        or tf.config.list_logical_devices("GPU")
    ):
        return
    warnings.warn(
        "The tasks of a step would train faster side by side: call "
        "tfmeta.one_thread_a_task() at the top of the program, before TensorFlow runs.",
        stacklevel=_TO_CALLER_OF_FIT,
    )


def _of_one_size(x: dict[str, Any]) -> bool:
    """Whether all tasks have the same shape."""
    leaves = tf.nest.flatten(x)
    return "support_count" not in x and all(None not in t.shape[1:] for t in leaves)
