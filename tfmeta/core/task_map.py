"""One function of one task, mapped over a batch of tasks."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor

STRATEGIES = ("loop", "compiled")


def map_tasks(
    function: Callable[..., tuple[Nest, Nest]],
    tasks: Nest,
    *,
    shared: Nest = None,
    strategy: str = "loop",
    counts: Nest = None,
) -> tuple[Nest, Nest]:
    """Maps a function over the leading axis and sums what is to be summed.

    Gradients are summed as the loop goes, so memory holds one task at a time and
    one set of sums, never tasks x parameters. The function takes its own gradients:
    nothing differentiates through the map.

    Args:
        function: Of one task (the nest without its leading axis), to a pair: values
            to be stacked, and values to be summed over tasks.
        tasks: A nest of tensors with one leading axis, that of the tasks.
        shared: A nest of tensors that every task reads; handed to the function as its
            second argument. Weights belong here: compiled tasks that read variables
            by themselves wait for each other.
        strategy: "loop" runs the function's graph task by task; "compiled" compiles
            the function with XLA and loops over that. They differ in speed only.
        counts: Where tasks are padded to one size, a nest like `tasks` of the numbers
            of real rows, `(tasks,)` integers, or None for a tensor without padding.
            The function sees real rows only; compiled, it is compiled anew for each
            size. Values to be stacked it must bring to one shape, see `padded`.

    Returns:
        The stacked values, `(tasks, ...)`, and the sums.

    Raises:
        ValueError: If the strategy has no such name.
    """
    if strategy not in STRATEGIES:
        raise ValueError(
            f"task_map must be one of {', '.join(STRATEGIES)}. Received: {strategy!r}."
        )
    flat = [tf.convert_to_tensor(t) for t in tf.nest.flatten(tasks)]
    limits = [None] * len(flat) if counts is None else tf.nest.flatten(counts)
    specs = [
        tf.TensorSpec(t.shape[1:] if n is None else (None, *t.shape[2:]), t.dtype)
        for t, n in zip(flat, limits, strict=True)
    ]

    constants = [] if shared is None else tf.nest.flatten(shared)
    specs += [tf.TensorSpec(c.shape, c.dtype) for c in constants]

    def one(*leaves):
        task = tf.nest.pack_sequence_as(tasks, leaves[: len(flat)])
        if shared is None:
            return function(task)
        return function(task, tf.nest.pack_sequence_as(shared, leaves[len(flat) :]))

    graph = tf.function(one, jit_compile=strategy == "compiled", autograph=False)
    num_tasks = tf.shape(flat[0])[0]

    def task(i):
        return [
            tf.gather(t, i) if n is None else tf.gather(t, i)[: n[i]]
            for t, n in zip(flat, limits, strict=True)
        ]

    return _loop(graph.get_concrete_function(*specs), task, constants, num_tasks)


def padded(values: Tensor, rows: Tensor | int) -> Tensor:
    """Adds rows of zeros at the end.

    Args:
        values: `(examples, ...)`, at most `rows` of them.
        rows: How many there shall be.

    Returns:
        `(rows, ...)`.
    """
    missing = [[0, rows - tf.shape(values)[0]], *[[0, 0]] * (values.shape.rank - 1)]
    return tf.pad(values, missing)


def one_thread_a_task() -> None:
    """Gives each operation one thread, so that tasks run side by side.

    On a CPU, small tasks on a core each are up to twice as fast as one task after the
    other on all cores. It holds for the whole process, and must be called before
    TensorFlow has run anything.

    Raises:
        RuntimeError: If TensorFlow has run something already.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)


def _loop(
    one,
    task: Callable[[Tensor], list[Tensor]],
    constants: list[tf.Tensor],
    num_tasks: tf.Tensor,
) -> tuple[Nest, Nest]:
    value_specs, sum_specs = one.structured_outputs
    arrays = [
        tf.TensorArray(s.dtype, num_tasks, element_shape=s.shape, infer_shape=False)
        for s in tf.nest.flatten(value_specs)
    ]
    sums = [tf.zeros(s.shape, s.dtype) for s in tf.nest.flatten(sum_specs)]

    def body(i, arrays, sums):
        values, addends = one(*task(i), *constants)
        arrays = [
            a.write(i, v) for a, v in zip(arrays, tf.nest.flatten(values), strict=True)
        ]
        sums = [s + g for s, g in zip(sums, tf.nest.flatten(addends), strict=True)]
        return i + 1, arrays, sums

    _, arrays, sums = tf.while_loop(
        lambda i, *_: i < num_tasks,
        body,
        (0, arrays, sums),
        parallel_iterations=os.cpu_count() or 1,
    )
    stacked = [a.stack() for a in arrays]
    return (
        tf.nest.pack_sequence_as(value_specs, stacked),
        tf.nest.pack_sequence_as(sum_specs, sums),
    )
