"""What every learner promises, over the table in `tests/learner_cases.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf
from learner_cases import CASES, MAX_WAY, Case, batch, episode

from tfmeta import MetaModel, Options
from tfmeta.core import STRATEGIES, Episode, Examples
from tfmeta.learners import Learner

SCAN = sys.modules["tfmeta.inner.scan"]  # The function took its name.
TOLERANCE = 1e-6  # Of a meta-gradient, relative, in float64.


def rows(wanted: Callable[[Case], bool] = lambda case: True):
    chosen = [case for case in CASES if wanted(case)]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case.name)


@pytest.fixture
def float64() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


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


@rows(lambda case: not case.targets)
def test_absent_classes_cannot_be_answered(case: Case) -> None:
    logits = answers(case.make(), episode(case, ([0, 2, 2, 0], [0, 2, 1])))
    absent = [1] if case.any_way else [1, 3, 4]
    assert np.isneginf(logits[:, absent]).all()
    assert np.isfinite(logits[:, [0, 2]]).all()


@rows(lambda case: case.targets)
def test_values_have_the_shape_of_the_targets(case: Case) -> None:
    task = episode(case)
    assert answers(case.make(), task).shape == task.query.y.shape


@rows(lambda case: not case.targets)
def test_extending_is_adapting_to_all_at_once(case: Case) -> None:
    learner, task = case.make(), episode(case, ([0, 0, 1, 1, 3, 0], [0, 1, 3]))
    # The second part has an old class, and one that leaves a number out.
    first, more = (part(task.support, rows) for rows in ([0, 1, 2], [3, 4, 5]))
    adapted = learner.adapt(first, Options())
    if learner.extends:
        extended = learner.extend(adapted, more, Options())
        whole = learner.adapt(task.support, Options())
        close(extended, whole, 1e-5)
        got = learner.predict(extended, task.query.x, Options())
        close(got, learner.predict(whole, task.query.x, Options()), 1e-5)
    else:
        with pytest.raises(ValueError, match="all of them at once"):
            learner.extend(adapted, more, Options())


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


@rows(lambda case: case.gradient != "none")
def test_training_and_serving_share_the_steps(case: Case) -> None:
    # Without moving averages and dropout both verbs are the same in both modes.
    learner, task = case.make(), episode(case)
    if learner.mode == "running" or learner.random:
        pytest.skip("training differs from serving by design")
    close(answers(learner, task, training=True), answers(learner, task))


@rows(lambda case: case.gradient == "exact")
@pytest.mark.usefixtures("float64")
def test_meta_gradient_is_exact(case: Case) -> None:
    learner = case.make()
    task = episode(case, dtype="float64")
    options = Options(training=True, seed=tf.constant(5))
    loss, outputs, gradients = tf.function(
        lambda task: learner.meta_gradients(task, options), autograph=False
    )(task)
    assert outputs["predictions"].dtype == loss.dtype == tf.float64
    measure = tf.function(lambda: learner.loss(task, options)[0], autograph=False)
    np.testing.assert_allclose(loss, measure(), rtol=1e-12)
    variables = learner.trainable_variables
    start, draws = values_of(variables), np.random.default_rng(3)
    for _ in range(3):
        move = [draws.normal(size=v.shape) for v in start]
        move = [m / np.sqrt(sum(np.sum(n**2) for n in move)) for m in move]
        ends = []
        for size in (1e-5, -1e-5):
            for variable, value, along in zip(variables, start, move, strict=True):
                variable.assign(value + size * along)
            ends.append(measure().numpy())
        measured = (ends[0] - ends[1]) / 2e-5
        exact = sum(np.sum(g * m) for g, m in zip(gradients, move, strict=True))
        assert abs(exact - measured) < TOLERANCE * abs(measured)


def values_of(variables) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


@rows(lambda case: case.make().default_steps is not None)
@pytest.mark.usefixtures("float64")
def test_traced_steps_are_looped_steps(case: Case, monkeypatch) -> None:
    learner, task = case.make(), episode(case, dtype="float64")
    options = Options(training=True, seed=tf.constant(5))

    def results(traced: int):
        monkeypatch.setattr(SCAN, "TRACED_STEPS", traced)

        @tf.function(autograph=False)
        def run(task):
            adapted = learner.adapt(task.support, Options())
            answered = learner.predict(adapted, task.query.x, Options())
            path = learner.trajectory(task.support, Options(steps=3))
            return answered, path, learner.meta_gradients(task, options)

        return run(task)

    close(results(-1), results(10**6), 1e-9)


@rows(lambda case: case.gradient == "stopped")
@pytest.mark.usefixtures("float64")
def test_first_order_gradient_is_the_one_at_the_adapted_weights(case: Case) -> None:
    learner, task = case.make(), episode(case, dtype="float64")
    net = learner.net
    zeros = [tf.zeros_like(v.value) for v in net.non_trainable_variables]
    present = np.isin(np.arange(MAX_WAY), task.support.y)

    def loss(logits, y):
        logits = tf.where(present, logits, -np.inf)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))

    def support_pass(params):
        return net.stateless_call(params, zeros, task.support.x, training=True)

    params = [tf.constant(v.numpy()) for v in net.trainable_variables]
    for _ in range(learner.inner_steps):
        with tf.GradientTape() as tape:
            tape.watch(params)
            inner = loss(support_pass(params)[0], task.support.y)
        steps = tape.gradient(inner, params)
        params = [
            p - learner.rule.learning_rate * s
            for p, s in zip(params, steps, strict=True)
        ]
    with tf.GradientTape() as tape:
        tape.watch(params)
        state = support_pass(params)[1]
        logits, _ = net.stateless_call(params, state, task.query.x, training=False)
        outer = loss(logits, task.query.y)
    expected = tape.gradient(outer, params)
    got, _, gradients = learner.meta_gradients(task, Options(training=True))
    np.testing.assert_allclose(got, outer, rtol=1e-12)
    close(gradients, expected, 1e-10)


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


@rows(lambda case: case.gradient == "displacement")
@pytest.mark.usefixtures("float64")
def test_displacement_is_what_minibatch_adam_moves(case: Case) -> None:
    learner, task = case.make(), episode(case, dtype="float64")
    net, size = learner.net, learner.batch_size
    labels = task.support.y.numpy()
    zeros = [tf.zeros_like(v.value) for v in net.non_trainable_variables]
    turn = [(labels[:i] == y).sum() for i, y in enumerate(labels)]
    if case.targets:
        turn = [0] * len(labels)
    order = sorted(range(len(labels)), key=lambda i: (turn[i], i))
    absent = np.setdiff1d(np.arange(MAX_WAY), labels)

    def loss(params, rows):
        x, y = tf.gather(task.support.x, rows), tf.gather(task.support.y, rows)
        outputs, _ = net.stateless_call(params, zeros, x, training=True)
        if case.targets:
            return tf.reduce_mean((outputs - y) ** 2)
        outputs -= 1e30 * tf.reduce_sum(tf.one_hot(absent, MAX_WAY, dtype="float64"), 0)
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
        )

    start = [v.numpy() for v in net.trainable_variables]
    params, squares = list(start), [np.zeros_like(v) for v in start]
    for step in range(learner.inner_steps):
        rows = [order[(step * size + i) % len(order)] for i in range(size)]
        tensors = [tf.constant(p) for p in params]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(tensors, rows)
        for i, g in enumerate(tape.gradient(value, tensors)):
            squares[i] = 0.999 * squares[i] + 0.001 * g.numpy() ** 2
            root = np.sqrt(squares[i] / (1 - 0.999 ** (step + 1)) + 1e-16)
            params[i] = params[i] - learner.rule.learning_rate * g.numpy() / root
    _, _, gradients = learner.meta_gradients(task, Options(training=True))
    for found, before, after in zip(gradients, start, params, strict=True):
        np.testing.assert_allclose(found, before - after, rtol=1e-7, atol=1e-9)


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
