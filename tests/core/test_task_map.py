"""The task map against a loop in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import STRATEGIES, Examples, map_tasks, padded


def tasks(n: int = 3) -> Examples:
    draws = np.random.default_rng(0)
    return Examples(
        tf.constant(draws.normal(size=(n, 4, 2))),
        tf.constant(draws.integers(0, 9, (n, 4)), tf.int32),
    )


def one(task: Examples):
    stacked = {"sum": tf.reduce_sum(task.x), "y": task.y + 1}
    return stacked, [tf.reduce_max(task.x, 0), tf.reduce_sum(task.y)]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("n", [1, 3])
def test_stacks_and_sums(strategy: str, graph: bool, n: int) -> None:
    run = tf.function(map_tasks, autograph=False) if graph else map_tasks
    stacked, sums = run(one, tasks(n), strategy=strategy)
    x, y = (t.numpy() for t in tasks(n))
    np.testing.assert_allclose(stacked["sum"], [task.sum() for task in x])
    np.testing.assert_array_equal(stacked["y"], y + 1)
    np.testing.assert_allclose(sums[0], sum(task.max(0) for task in x))
    assert sums[0].shape == (2,)
    assert sums[1].numpy() == y.sum()


def test_nothing_to_sum() -> None:
    stacked, sums = map_tasks(lambda task: (task.y, []), tasks())
    np.testing.assert_array_equal(stacked, tasks().y)
    assert sums == []


def test_one_graph_for_any_number_of_tasks_and_examples() -> None:
    traces = []

    @tf.function(
        autograph=False,
        input_signature=[
            Examples(
                tf.TensorSpec([None, None, 2], tf.float64),
                tf.TensorSpec([None, None], tf.int32),
            )
        ],
    )
    def run(batch: Examples):
        traces.append(1)
        return map_tasks(one, batch)

    for n in (1, 3, 2):
        np.testing.assert_array_equal(run(tasks(n))[0]["y"], tasks(n).y + 1)
    assert len(traces) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_tensor_is_tasks_times_what_is_summed(strategy: str) -> None:
    size, n = 1013, 7
    weights = tf.ones([size])

    def scaled(task):
        return task, weights * task

    @tf.function(autograph=False)
    def run(batch):
        return map_tasks(scaled, batch, strategy=strategy)

    graph = run.get_concrete_function(tf.TensorSpec([n], tf.float32)).graph
    shapes = [
        tuple(output.shape)
        for function in [graph, *graph.as_graph_def().library.function]
        if hasattr(function, "get_operations")
        for op in function.get_operations()
        for output in op.outputs
        if output.shape.rank is not None
    ]
    assert (size,) in shapes
    assert not any(len(s) > 1 and size in s for s in shapes)
    np.testing.assert_allclose(run(tf.range(float(n)))[1], np.full(size, 21.0))


def test_unknown_strategy() -> None:
    with pytest.raises(ValueError, match="loop, compiled.*Received: 'vmap'"):
        map_tasks(one, tasks(), strategy="vmap")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_padding_reaches_no_task(strategy: str) -> None:
    x, y = (t.numpy() for t in tasks())
    sizes = [4, 1, 2]
    for i, size in enumerate(sizes):
        x[i, size:], y[i, size:] = np.nan, 10**6
    n = tf.constant(sizes)

    def of_task(task):
        examples, number = task
        doubled = padded(2 * examples.x, 4)
        return (doubled, tf.shape(examples.y)[0]), number * tf.reduce_sum(examples.x, 0)

    run = tf.function(map_tasks, autograph=False)
    (doubled, found), total = run(
        of_task,
        (Examples(tf.constant(x), tf.constant(y)), tf.constant([1.0, 2, 3], x.dtype)),
        strategy=strategy,
        counts=(Examples(n, n), None),
    )
    np.testing.assert_array_equal(found, sizes)
    np.testing.assert_allclose(doubled, np.nan_to_num(2 * x))
    each = [(i + 1) * x[i, :size].sum(0) for i, size in enumerate(sizes)]
    np.testing.assert_allclose(total, sum(each))
