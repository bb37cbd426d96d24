"""What dropout depends on: the seed and the episode's number, and nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import Examples, MetaModel, Options
from tfmeta.learners import MAML

STEPS = 2


def model(seed: int = 0, optimizer=None, **options) -> MetaModel:
    layers = [
        keras.Input((50,)),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(1)),
    ]
    learner = MAML(keras.Sequential(layers), inner_steps=STEPS, normalisation="running")
    made = MetaModel(learner, seed=seed, **options)
    made.compile(optimizer or keras.optimizers.SGD(0.0))
    return made


def batch(numbers, tasks: int = 3):
    """Tasks of equal content, so that losses differ by their masks alone."""
    x = np.random.default_rng(0).normal(size=(1, 6, 50)).astype("float32")
    y = np.int32([[0, 1, 0, 1, 0, 1]])
    x, y = np.repeat(x, tasks, 0), np.repeat(y, tasks, 0)
    told = {} if numbers is None else {"episode": np.int64(numbers)}
    return {"support_x": x, "support_y": y, "query_x": x, **told}, y


def losses(made: MetaModel, numbers, tasks: int = 3) -> np.ndarray:
    x, y = batch(numbers, tasks)
    return made.meta_gradients(x, y)[0].numpy()


def test_masks_are_a_function_of_the_episodes_number() -> None:
    made = model(task_map="loop")
    first = losses(made, [7, 8, 2**40])
    assert len(set(first.tolist())) == 3
    np.testing.assert_array_equal(first, losses(made, [7, 8, 2**40]))
    np.testing.assert_allclose(first[::-1], losses(made, [2**40, 8, 7]), rtol=1e-6)
    np.testing.assert_allclose(first[1:2], losses(made, [8], tasks=1), rtol=1e-6)
    made.optimizer.iterations.assign(5)
    np.testing.assert_array_equal(first, losses(made, [7, 8, 2**40]))


def test_seeds_do_not_share_masks_shifted_by_a_task() -> None:
    zero, one = (losses(model(seed, task_map="loop"), range(6), 6) for seed in (0, 1))
    assert len({*np.round(zero, 6), *np.round(one, 6)}) == 12


def test_a_batch_without_numbers_counts_steps_times_tasks_plus_place() -> None:
    made = model(task_map="loop")
    np.testing.assert_array_equal(losses(made, None), losses(made, [0, 1, 2]))
    made.meta_step(batch(None))
    np.testing.assert_array_equal(losses(made, None), losses(made, [3, 4, 5]))


def test_gathered_gradients_do_not_repeat_masks() -> None:
    optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=4)
    made = model(optimizer=optimizer, task_map="loop")
    seen = [made.meta_step(batch(None))["task_losses"].numpy() for _ in range(4)]
    assert len(set(np.round(np.concatenate(seen), 6).tolist())) == 12


def test_auto_is_the_loop_where_layers_are_random() -> None:
    made = model()
    assert made.choose_task_map(batch([0, 1, 2])) == "loop"


@pytest.mark.parametrize("task_map", ["loop", "compiled"])
def test_each_way_repeats_itself(task_map: str) -> None:
    runs = [losses(model(task_map=task_map), [0, 1, 2]) for _ in range(2)]
    np.testing.assert_array_equal(*runs)
    assert np.isfinite(runs[0]).all() and len(set(runs[0].tolist())) == 3


def test_support_queries_and_steps_have_masks_of_their_own() -> None:
    """With one mask for all, inputs that it drops would never get a gradient."""
    made = model(task_map="loop")
    x, y = batch([0], 1)
    support = tf.nest.map_structure(
        lambda t: tf.constant(t[0]), (x["support_x"], x["support_y"])
    )
    kernels = [
        made.learner.adapt(
            Examples(*support),
            Options(training=True, steps=steps, seed=tf.constant(1, tf.int64)),
        )["params"][0]
        for steps in (0, 1, 4)
    ]
    once, often = (
        int(np.sum(np.any(k.numpy() != kernels[0].numpy(), axis=1)))
        for k in kernels[1:]
    )
    assert once <= often == 50
