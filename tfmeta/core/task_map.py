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
    """Applies a function to each task; stacks some results and sums the others.

    Sums, such as those of gradients, grow task by task, so memory holds one set of
    sums, not one for each task. The function must take its own gradients: do not
    differentiate through `map_tasks`.

    Args:
        function: A function of one task (the nest without its leading axis). It returns
            a pair: a nest to be stacked, and a nest to be summed over tasks.
        tasks: A nest of tensors whose leading axis is that of the tasks.
        shared: A nest of tensors that every task reads; the function gets it as its
            second argument. Weights belong here: compiled tasks that read variables
            by themselves wait for each other.
        strategy: "loop" runs the function's graph task by task; "compiled" compiles
            the function with XLA and loops over that. The two differ in speed only.
        counts: The numbers of real rows where tasks are padded to one size: a nest like
            `tasks`, of `(tasks,)` integers, or of None for a tensor without padding.
            The function sees real rows only, and must bring the values to be stacked
            to one shape, see `padded`. XLA compiles the function anew for each size.

    Returns:
        The stacked values, `(tasks, ...)`, and the sums.

    Raises:
        ValueError: If there is no such strategy.
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
        values: `(examples, ...)`, with at most `rows` examples.
        rows: The number of rows to return.

    Returns:
        `(rows, ...)`.
    """
    missing = [[0, rows - tf.shape(values)[0]], *[[0, 0]] * (values.shape.rank - 1)]
    return tf.pad(values, missing)


def one_thread_a_task() -> None:
    """Gives each operation one thread, so that tasks run side by side.

    On a CPU, small tasks that run side by side on a core each are up to twice as fast
    as tasks that run one after the other on all cores. The setting holds for the whole
    process. Call this function at the top of the program, before TensorFlow has run
    anything; a second call does nothing.

    Raises:
        RuntimeError: If TensorFlow has run something already.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError as error:
        raise RuntimeError(
            "one_thread_a_task must be called before TensorFlow runs anything. "
            "Received: a call after that. Call it at the top of the program, right "
            "after the imports; in a notebook, restart the kernel first."
        ) from error


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
