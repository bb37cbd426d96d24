"""The while loop against the traced steps, in value, gradient and size."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.inner import GradientDescent, UpdateRule, descend, unroll
from tfmeta.inner.unroll import TRACED_STEPS, trajectory

MODULE = sys.modules["tfmeta.inner.unroll"]  # The function took its name.
LOOPED = TRACED_STEPS + 2


@keras.saving.register_keras_serializable("tfmeta_tests")
class LearnedRates(UpdateRule):
    """A learned rate a parameter, with momentum and a count in its state."""

    def build(self, shapes) -> None:
        self.rates = [
            self.add_weight(shape=(), initializer=keras.initializers.Constant(0.1))
            for _ in shapes
        ]

    def init(self, params):
        return [tf.zeros_like(p) for p in params], tf.constant(0)

    def update(self, grads, state, params, step):
        momenta, count = state
        momenta = [0.5 * m + g for m, g in zip(momenta, grads, strict=True)]
        # The step's number is in use, and the count must keep up with it.
        scale = 1.0 / tf.cast(1 + step + count, params[0].dtype)
        moved = [
            p - scale * tf.cast(r, p.dtype) * m
            for p, r, m in zip(params, self.rates, momenta, strict=True)
        ]
        return moved, (momenta, count + 1)


@pytest.fixture(autouse=True)
def _float64():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


class Problem:
    """Adapts two parameters; reads a variable in the objective, two in the rule."""

    def __init__(self):
        self.rule = LearnedRates()
        self.rule.build([(3,), ()])
        self.shift = keras.Variable([0.3, -0.2, 0.5], dtype="float64")
        self.start = [
            keras.Variable(v, dtype="float64") for v in ([1.0, -2.0, 0.5], 0.7)
        ]
        self.variables = [self.shift, *self.rule.trainable_variables]
        self.all = [*self.start, *self.variables]

    def objective(self, params, index):
        w, b = params
        return tf.reduce_sum(tf.tanh(w * b - self.shift.value) ** 2) + 0.1 * b**4

    def outer(self, steps: int, **options) -> tf.Tensor:
        params = [tf.convert_to_tensor(v.value) for v in self.start]
        w, b = descend(
            self.objective,
            params,
            self.rule,
            steps=steps,
            variables=self.variables,
            **options,
        )
        return tf.reduce_sum(tf.sin(w) * b)

    def gradients(self, steps: int) -> tuple[np.ndarray, list[np.ndarray]]:
        @tf.function(autograph=False)
        def run():
            with tf.GradientTape() as tape:
                value = self.outer(steps)
            return value, tape.gradient(value, [v.value for v in self.all])

        value, gradients = run()
        return value.numpy(), [g.numpy() for g in gradients]


def traced(monkeypatch) -> None:
    monkeypatch.setattr(MODULE, "TRACED_STEPS", 10**6)


def looped(monkeypatch) -> None:
    monkeypatch.setattr(MODULE, "TRACED_STEPS", -1)


@pytest.mark.parametrize("steps", [0, 1, 2, LOOPED])
def test_loop_is_the_traced_steps(steps: int, monkeypatch) -> None:
    problem = Problem()
    if steps == 0:
        problem.all = problem.start  # Nothing else is read.
    traced(monkeypatch)
    value, gradients = problem.gradients(steps)
    looped(monkeypatch)
    again, others = problem.gradients(steps)
    np.testing.assert_allclose(again, value, rtol=1e-14)
    for a, b in zip(others, gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_loop_against_central_differences() -> None:
    problem = Problem()
    _, gradients = problem.gradients(LOOPED)
    measure = tf.function(lambda: problem.outer(LOOPED), autograph=False)
    for variable, gradient in zip(problem.all, gradients, strict=True):
        start = variable.numpy()
        for place in np.ndindex(start.shape):
            ends = []
            for size in (1e-6, -1e-6):
                moved = np.array(start)
                moved[place] += size
                variable.assign(moved)
                ends.append(measure().numpy())
            variable.assign(start)
            measured = (ends[0] - ends[1]) / 2e-6
            assert abs(gradient[place]) > 1e-5
            np.testing.assert_allclose(gradient[place], measured, rtol=1e-6)


def test_eager_is_graph() -> None:
    problem = Problem()
    value, gradients = problem.gradients(LOOPED)
    with tf.GradientTape() as tape:
        eager = problem.outer(LOOPED)
    np.testing.assert_allclose(eager, value, rtol=1e-14)
    others = tape.gradient(eager, [v.value for v in problem.all])
    for a, b in zip(others, gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_without_gradients_the_value_is_the_same() -> None:
    problem = Problem()
    expected = problem.outer(LOOPED)
    got = problem.outer(LOOPED, differentiable=False)
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_trajectory_is_descent_again_and_again() -> None:
    problem = Problem()
    params = [tf.convert_to_tensor(v.value) for v in problem.start]
    path = descend(problem.objective, params, problem.rule, steps=3, keep=True)
    for steps in range(4):
        expected = descend(
            problem.objective, params, problem.rule, steps=steps, differentiable=False
        )
        for kept, end in zip(path, expected, strict=True):
            np.testing.assert_allclose(kept[steps], end, rtol=1e-14)


@pytest.mark.parametrize("differentiable", [True, False])
@pytest.mark.parametrize("steps", [0, 3, LOOPED])
def test_integers_in_the_carry(steps: int, differentiable: bool) -> None:
    x = tf.constant(1.5)

    def step(carry, index):
        return {"n": carry["n"] + index, "x": carry["x"] * 2.0}

    with tf.GradientTape() as tape:
        tape.watch(x)
        end = unroll(
            step,
            {"n": tf.constant(4), "x": x},
            steps=steps,
            differentiable=differentiable,
        )
    assert end["n"].numpy() == 4 + sum(range(steps))
    assert end["x"].numpy() == 1.5 * 2**steps
    if differentiable:
        assert tape.gradient(end["x"], x).numpy() == 2**steps


def test_trajectory_of_no_steps_is_the_start() -> None:
    path = trajectory(lambda c, i: c + 1, tf.constant([1.0, 2.0]), steps=0)
    assert path.numpy().tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("repeat", [unroll, trajectory])
def test_negative_steps_are_refused(repeat) -> None:
    with pytest.raises(ValueError, match="at least 0. Received: -1"):
        repeat(lambda c, i: c, tf.constant(0.0), steps=-1)


def test_graph_does_not_grow_with_the_steps() -> None:
    problem = Problem()

    def nodes(steps: int) -> int:
        @tf.function(autograph=False)
        def run():
            with tf.GradientTape() as tape:
                value = problem.outer(steps)
            return tape.gradient(value, [v.value for v in problem.all])

        graph = run.get_concrete_function().graph.as_graph_def()
        inner = sum(len(f.node_def) for f in graph.library.function)
        return len(graph.node) + inner

    assert nodes(6) == nodes(60) > 0


def test_first_order_steps_have_the_identity_as_derivative() -> None:
    start, target = tf.constant([1.0, -2.0]), tf.constant([0.5, 0.5])
    for steps in (2, LOOPED):
        with tf.GradientTape() as tape:
            tape.watch(start)
            (end,) = descend(
                lambda params, _: tf.reduce_sum((params[0] - target) ** 2),
                [start],
                GradientDescent(learning_rate=0.1),
                steps=steps,
                first_order=True,
            )
        # Each step keeps 0.8 of the way to the target.
        np.testing.assert_allclose(end, target + 0.8**steps * (start - target), 1e-5)
        np.testing.assert_array_equal(tape.gradient(end, start), [1.0, 1.0])


def test_gradient_descent() -> None:
    rule = GradientDescent(learning_rate=0.5)
    moved, state = rule.update([tf.constant(2.0)], (), [tf.constant(3.0)], 0)
    assert moved[0].numpy() == 2.0 and state == ()
    assert GradientDescent.from_config(rule.get_config()).learning_rate == 0.5
    for bad in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            GradientDescent(learning_rate=bad)
