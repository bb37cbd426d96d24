"""What every learner promises, over the table in `tests/learner_cases.py`.

These tests compare a learner with itself; `test_reference.py` knows the answers.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from learner_cases import CASES, MAX_WAY, Case, batch, episode

from tfmeta import MetaModel, Options
from tfmeta.core import STRATEGIES, Episode, Examples
from tfmeta.learners import Learner


def rows(wanted: Callable[[Case], bool] = lambda case: True):
    chosen = [case for case in CASES if wanted(case)]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case.name)


def answers(learner: Learner, task: Episode, **options) -> np.ndarray:
    options = Options(**options)
    adapted = learner.adapt(task.support, options)
    return learner.predict(adapted, task.query.x, options).numpy()


def part(x, rows):
    return tf.nest.map_structure(lambda t: tf.gather(t, rows), x)


def keras_batch(tasks: Episode):
    x = {
        "support_x": tasks.support.x,
        "support_y": tasks.support.y,
        "query_x": tasks.query.x,
    }
    return x, tasks.query.y


def values(learner: Learner) -> list[np.ndarray]:
    return [variable.numpy() for variable in learner.variables]


def close(a, b, tolerance: float = 1e-4) -> None:
    tf.nest.map_structure(
        lambda x, y: np.testing.assert_allclose(x, y, tolerance, tolerance), a, b
    )


@rows(lambda case: not case.targets)
@pytest.mark.parametrize("way", [1, 3, 5])
@pytest.mark.parametrize("shots", [[1, 1, 1, 1, 1], [3, 1, 2, 5, 1]])
def test_any_way_and_shot(case: Case, way: int, shots: list[int]) -> None:
    labels = [c for c in range(way) for _ in range(shots[c])]
    task = episode(case, (labels, [*range(way)] * 3))
    logits = answers(case.make(), task)
    assert logits.shape == (3 * way, way if case.any_way else MAX_WAY)
    assert logits.dtype == np.float32
    assert np.isfinite(logits[:, :way]).all()


@rows(lambda case: case.adapts == case.make().adapts)
def test_who_does_not_adapt_gives_every_support_set_the_same_answer(case: Case) -> None:
    learner = case.make()
    task = episode(case, ([0, 1, 2, 0, 1, 2], [0, 2, 1]))
    other = tf.nest.map_structure(lambda t: t[::-1] * 2 // 3, task.support)
    other = other._replace(y=task.support.y)
    answers = [
        learner.predict(learner.adapt(support, Options()), task.query.x, Options())
        for support in (task.support, other)
    ]
    same = bool(tf.reduce_all(answers[0] == answers[1]))
    assert same != case.adapts


@rows(lambda case: not case.targets and case.adapts)
def test_absent_classes_cannot_be_answered(case: Case) -> None:
    logits = answers(case.make(), episode(case, ([0, 2, 2, 0], [0, 2, 1])))
    absent = [1] if case.any_way else [1, 3, 4]
    assert np.isneginf(logits[:, absent]).all()
    assert np.isfinite(logits[:, [0, 2]]).all()


@rows(lambda case: case.targets)
def test_values_have_the_shape_of_the_targets(case: Case) -> None:
    task = episode(case)
    assert answers(case.make(), task).shape == task.query.y.shape


@rows(lambda case: not case.make().extends)
def test_who_cannot_extend_says_so(case: Case) -> None:
    learner, task = case.make(), episode(case)
    adapted = learner.adapt(task.support, Options())
    with pytest.raises(ValueError, match="all of them at once"):
        learner.extend(adapted, task.support, Options())


@rows()
def test_pure(case: Case) -> None:
    learner, task = case.make(), episode(case)
    before = values(learner)
    first = answers(learner, task)
    options = Options(training=True, seed=tf.constant(3))
    loss, outputs, gradients = learner.meta_gradients(task, options)
    again = learner.meta_gradients(task, options)
    np.testing.assert_array_equal(first, answers(learner, task))
    tf.nest.map_structure(np.testing.assert_array_equal, values(learner), before)
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_array_equal(a, b),
        (loss, outputs, gradients),
        again,
    )


@rows()
def test_graph_does_what_eager_does(case: Case) -> None:
    learner, task = case.make(), episode(case)

    @tf.function(autograph=False)
    def graph(task):
        return learner.predict(
            learner.adapt(task.support, Options()), task.query.x, Options()
        )

    close(graph(task), answers(learner, task))


@rows()
def test_batched_does_what_one_by_one_does(case: Case) -> None:
    model, tasks = MetaModel(case.make()), batch(case)
    together = model(keras_batch(tasks)[0])
    for seed, row in enumerate(together.numpy()):
        close(row, answers(model.learner, episode(case, seed=seed)))


@rows(lambda case: case.permutes)
def test_renaming_the_classes_renames_the_answers(case: Case) -> None:
    learner, task = case.make(), episode(case)
    names = np.array([1, 2, 0], "int32")
    renamed = task._replace(
        support=Examples(task.support.x, tf.constant(names[task.support.y.numpy()]))
    )
    close(answers(learner, renamed)[:, names], answers(learner, task))


@rows(lambda case: case.orderless)
def test_the_order_of_the_support_set_is_of_no_effect(case: Case) -> None:
    learner, task = case.make(), episode(case)
    order = [3, 6, 0, 5, 2, 1, 4]
    shuffled = part(task.support, order)
    close(answers(learner, task._replace(support=shuffled)), answers(learner, task))


@rows()
def test_an_answer_depends_on_no_other_query_unless_transductive(case: Case) -> None:
    learner, task = case.make(), episode(case)
    adapted = learner.adapt(task.support, Options())
    together = learner.predict(adapted, task.query.x, Options()).numpy()
    alone = learner.predict(adapted, part(task.query.x, [0]), Options()).numpy()
    if learner.mode == "task":
        assert np.abs(together[0, :3] - alone[0, :3]).max() > 1e-3
    else:
        close(alone, together[:1], 1e-5)


def same_in_training(case: Case) -> bool:
    """Whether the learner has neither moving averages nor random layers."""
    learner = case.make()
    return learner.mode != "running" and not learner.random


@rows(lambda case: case.gradient != "none" and same_in_training(case))
def test_training_and_serving_share_the_steps(case: Case) -> None:
    learner, task = case.make(), episode(case)
    close(answers(learner, task, training=True), answers(learner, task))


@rows(lambda case: case.compiles)
def test_task_maps_agree(case: Case) -> None:
    tasks, results = batch(case), []
    for strategy in STRATEGIES:
        model = MetaModel(case.make(), task_map=strategy)
        model.compile("sgd")
        step = tf.function(model.meta_gradients, autograph=False)
        results.append(step(*keras_batch(tasks)))
    for result in results[1:]:
        close(result, results[0], 1e-5)


@rows()
def test_config_makes_it_again(case: Case) -> None:
    learner, task = case.make(), episode(case)
    again = type(learner).from_config(learner.get_config())
    for old, new in zip(learner.variables, again.variables, strict=True):
        new.assign(old)
    assert again.get_config().keys() == learner.get_config().keys()
    assert again.mode == learner.mode
    np.testing.assert_array_equal(answers(again, task), answers(learner, task))
    whole = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(learner)
    )
    assert type(whole) is type(learner)


@rows(lambda case: case.make().default_steps is not None)
def test_trajectory_is_adapt_repeated(case: Case) -> None:
    learner, task = case.make(), episode(case)
    for steps in (0, 3):
        path = learner.trajectory(task.support, Options(steps=steps))
        for step in range(steps + 1):
            of_step = tf.nest.map_structure(lambda t, step=step: t[step], path)
            close(of_step, learner.adapt(task.support, Options(steps=step)))
    chosen = learner.trajectory(task.support, Options(steps=3), after=(1, 3))
    close(chosen, tf.nest.map_structure(lambda t: tf.gather(t, (1, 3)), path))


@rows(lambda case: case.make().default_steps is None)
def test_no_trajectory_without_steps(case: Case) -> None:
    with pytest.raises(ValueError, match="no inner steps"):
        case.make().trajectory(episode(case).support, Options(steps=1))


def blobs(draws: np.random.Generator, tasks: int) -> tuple[dict, tf.Tensor]:
    """Three Gaussian classes in two of four features; the others are loud noise."""

    def examples(shots: int):
        y = np.tile(np.repeat(np.arange(3, dtype="int32"), shots), (tasks, 1))
        x = draws.normal(size=(tasks, 3 * shots, 4)) * [0.4, 0.4, 3, 3]
        x[..., :2] += np.take_along_axis(means, y[..., None], 1)
        return tf.constant(x.astype("float32")), tf.constant(y)

    means = draws.normal(0, 1.5, (tasks, 3, 2))
    support_x, support_y = examples(3)
    query_x, query_y = examples(5)
    return {"support_x": support_x, "support_y": support_y, "query_x": query_x}, query_y


@rows(lambda case: case.learns)
def test_learns_blobs(case: Case) -> None:
    model = MetaModel(case.make(), task_map="loop")
    model.compile(keras.optimizers.Adam(0.02))
    draws = np.random.default_rng(0)
    held_out = blobs(np.random.default_rng(1), 60)
    start = model.evaluate(*held_out, batch_size=60, verbose=0, return_dict=True)
    step = tf.function(model.meta_step, autograph=False)
    for _ in range(60):
        step(blobs(draws, 8))
    end = model.evaluate(*held_out, batch_size=60, verbose=0, return_dict=True)
    assert end["accuracy"] > max(start["accuracy"] + 0.1, 0.6)
