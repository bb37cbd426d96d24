"""The while loop against the traced steps, in value, gradient and size."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.inner import scan

MODULE = sys.modules["tfmeta.inner.scan"]  # The function took its name.
LOOPED = MODULE.TRACED_STEPS + 2


@pytest.fixture(autouse=True)
def _float64():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture
def looped(monkeypatch):
    monkeypatch.setattr(MODULE, "TRACED_STEPS", -1)


class Problem:
    """Descends from two variables; the step reads a variable and a tensor of another.

    `shift` is read as a Keras variable, `slope` as a tensor that was computed before
    the scan, as a net's features are that a step captures.
    """

    def __init__(self):
        self.all = [
            keras.Variable(v, dtype="float64")
            for v in ([1.0, -2.0, 0.5], 0.7, [0.3, -0.2, 0.5], [0.4, 0.9, -0.6])
        ]

    def outer(self, steps: int) -> tf.Tensor:
        w, b, shift, slope = self.all
        features = tf.sin(tf.convert_to_tensor(slope.value)) * 2.0

        def step(carry, index):
            params, momentum = carry
            with tf.GradientTape() as tape:
                tape.watch(params)
                at = tf.tanh(params["w"] * params["b"] * features - shift.value)
                loss = tf.reduce_sum(at**2) + 0.1 * params["b"] ** 4
            grads = tape.gradient(loss, params)
            scale = 0.1 / tf.cast(1 + index, tf.float64)
            momentum = tf.nest.map_structure(lambda m, g: 0.5 * m + g, momentum, grads)
            moved = tf.nest.map_structure(lambda p, m: p - scale * m, params, momentum)
            return (moved, momentum), {"loss": loss, "index": index}

        start = {"w": tf.convert_to_tensor(w.value), "b": tf.convert_to_tensor(b.value)}
        carry = (start, tf.nest.map_structure(tf.zeros_like, start))
        (params, _), outs = scan(step, carry, steps=steps)
        np.testing.assert_array_equal(outs["index"].shape, [steps])
        return tf.reduce_sum(tf.sin(params["w"]) * params["b"]) + tf.reduce_sum(
            outs["loss"] ** 2
        )

    def eager(self, steps: int) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            value = self.outer(steps)
        return value, tape.gradient(
            value,
            [v.value for v in self.all],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    def graph(self, steps: int, **options):
        return tf.function(lambda: self.eager(steps), autograph=False, **options)()


def same(found, expected, tolerance: float = 1e-12) -> None:
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, tolerance, tolerance),
        found,
        expected,
    )


@pytest.mark.parametrize("steps", [0, 1, 2, LOOPED])
def test_loop_is_the_traced_steps(steps: int, monkeypatch) -> None:
    problem = Problem()
    monkeypatch.setattr(MODULE, "TRACED_STEPS", 10**6)
    traced = problem.graph(steps)
    monkeypatch.setattr(MODULE, "TRACED_STEPS", -1)
    same(problem.graph(steps), traced)
    same(problem.eager(steps), traced)
    same(problem.graph(steps, jit_compile=True), traced)


@pytest.mark.parametrize("steps", [3, LOOPED])
def test_gradients_against_central_differences(steps: int) -> None:
    problem = Problem()
    _, gradients = problem.graph(steps)
    measure = tf.function(lambda: problem.outer(steps), autograph=False)
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
            assert abs(gradient.numpy()[place]) > 1e-5
            np.testing.assert_allclose(gradient.numpy()[place], measured, rtol=1e-6)


def test_variables_may_have_values_of_a_scope(looped) -> None:
    """As in the task map, where weights are handed over as tensors."""
    problem, other = Problem(), Problem()
    for variable in other.all:
        variable.assign(variable + 0.1)

    @tf.function(autograph=False)
    def scoped():
        values = [tf.convert_to_tensor(v.value) for v in other.all]
        scope = list(zip(problem.all, values, strict=True))
        with keras.StatelessScope(state_mapping=scope), tf.GradientTape() as tape:
            tape.watch(values)
            value = problem.outer(LOOPED)
        return value, tape.gradient(value, values)

    same(scoped(), other.graph(LOOPED))


@pytest.mark.parametrize("steps", [3, LOOPED])
@pytest.mark.parametrize("trainable", [True, False])
def test_variables_of_tensorflow_are_read_too(steps: int, trainable: bool) -> None:
    rate = tf.Variable(1.5, trainable=trainable)

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(rate)
            end, _ = scan(lambda c, i: (c * rate, ()), tf.constant(1.0), steps=steps)
        return tape.gradient(end, rate)

    np.testing.assert_allclose(run(), steps * 1.5 ** (steps - 1), rtol=1e-6)


@pytest.mark.parametrize("steps", [3, LOOPED])
def test_a_variable_may_be_held_before_the_scan(steps: int) -> None:
    rate = keras.Variable(1.5, dtype="float64")

    @tf.function(autograph=False)
    def run():
        held = rate.value  # TensorFlow's variable, as no scope is open.
        with tf.GradientTape() as tape:
            end, _ = scan(
                lambda c, i: (c * held * rate.value, ()),
                tf.constant(1.0, tf.float64),
                steps=steps,
            )
        return tape.gradient(end, rate.value)

    np.testing.assert_allclose(run(), 2 * steps * 1.5 ** (2 * steps - 1), rtol=1e-12)


@pytest.mark.parametrize("steps", [3, LOOPED])
def test_complex_numbers_have_gradients(steps: int) -> None:
    start = tf.constant(1.0 + 1.0j, tf.complex128)
    with tf.GradientTape() as tape:
        tape.watch(start)
        end, _ = scan(lambda c, i: (c * 2.0, ()), start, steps=steps)
        value = tf.math.real(end)
    assert tape.gradient(value, start).numpy() == 2.0**steps


@pytest.mark.parametrize("steps", [3, LOOPED])
def test_a_step_that_changes_a_variable_is_refused(steps: int) -> None:
    layer = keras.layers.Dropout(0.5)
    layer.build((2,))
    with pytest.raises(ValueError, match="must change no variable.*seed"):
        scan(lambda c, i: (layer(c, training=True), ()), tf.ones((2,)), steps=steps)


def test_a_second_derivative_through_the_loop(looped) -> None:
    start = tf.constant(0.3, tf.float64)

    @tf.function(autograph=False)
    def second(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                end, _ = scan(lambda c, i: (c * c + c, ()), x, steps=LOOPED)
            slope = inner.gradient(end, x)
        return outer.gradient(slope, x)

    def end(x: float) -> float:
        for _ in range(LOOPED):
            x = x * x + x
        return x

    size = 1e-4
    measured = (end(0.3 + size) - 2 * end(0.3) + end(0.3 - size)) / size**2
    np.testing.assert_allclose(second(start), measured, rtol=1e-3)


def test_in_a_loop_over_tasks(looped) -> None:
    start = tf.constant([[1.0, 2.0], [0.5, -1.0], [0.1, 0.2]], tf.float64)

    def of_one(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            scale = tf.reduce_sum(x**2)
            end, _ = scan(lambda c, i: (c - 0.1 * scale * c**3, ()), x, steps=LOOPED)
            value = tf.reduce_sum(end)
        return tape.gradient(value, x)

    together = tf.function(lambda x: tf.map_fn(of_one, x), autograph=False)(start)
    for row, x in zip(together, start, strict=True):
        same(row, of_one(x))


@pytest.mark.parametrize("steps", [0, 3, LOOPED])
def test_integers_in_the_carry(steps: int) -> None:
    x = tf.constant(1.5)

    def step(carry, index):
        return {"n": carry["n"] + index, "x": carry["x"] * 2.0}, carry["n"]

    with tf.GradientTape() as tape:
        tape.watch(x)
        end, path = scan(step, {"n": tf.constant(4), "x": x}, steps=steps)
    assert end["n"].numpy() == 4 + sum(range(steps))
    assert path.numpy().tolist() == [4 + sum(range(i)) for i in range(steps)]
    assert end["x"].numpy() == 1.5 * 2**steps
    assert tape.gradient(end["x"], x).numpy() == 2**steps


@pytest.mark.parametrize("steps", [4, LOOPED])
def test_a_stopped_carry_truncates(steps: int) -> None:
    """Only the steps since the carry was stopped give gradients."""
    rate = keras.Variable(1.5, dtype="float64")

    def step(carry, index):
        stopped = tf.where(index == steps - 2, tf.stop_gradient(carry), carry)
        return stopped * rate.value, ()

    with tf.GradientTape() as tape:
        end, _ = scan(step, tf.constant(1.0, tf.float64), steps=steps)
    # The last two factors alone: d(c r^2)/dr = 2 c r, with c = r^(steps - 2).
    expected = 2 * 1.5 ** (steps - 1)
    np.testing.assert_allclose(tape.gradient(end, rate.value), expected, rtol=1e-12)


@pytest.mark.parametrize("steps", [0, 2, LOOPED])
def test_nothing_given_out_and_nothing_carried(steps: int) -> None:
    end, outs = scan(lambda c, i: (c, ()), tf.constant(1.0), steps=steps)
    assert end.numpy() == 1.0 and outs == ()
    nothing, path = scan(lambda c, i: ((), {"i": i}), (), steps=steps)
    assert nothing == () and path["i"].numpy().tolist() == list(range(steps))


def test_negative_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 0. Received: -1"):
        scan(lambda c, i: (c, ()), tf.constant(0.0), steps=-1)


def test_graph_does_not_grow_with_the_steps() -> None:
    problem = Problem()

    def nodes(steps: int) -> int:
        run = tf.function(lambda: problem.eager(steps), autograph=False)
        graph = run.get_concrete_function().graph.as_graph_def()
        inner = sum(len(f.node_def) for f in graph.library.function)
        return len(graph.node) + inner

    assert nodes(6) == nodes(60) > 0


MEASURE = """
    import os, pathlib, re, sys
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    from tfmeta.inner import scan

    def ends(x):
        if sys.argv[1] == "value":
            return scan(lambda c, i: (tf.sin(c), ()), x, steps=100)[0]
        with tf.GradientTape() as tape:
            tape.watch(x)
            end, _ = scan(lambda c, i: (tf.sin(c), ()), x, steps=100)
        return tape.gradient(end, x)

    def peak():
        # Not resource.getrusage, which begins with the peak of the parent process.
        status = pathlib.Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024

    x = tf.zeros((1_000_000,))  # 4 MB
    run = tf.function(ends, autograph=False, jit_compile=sys.argv[2] == "xla")
    run(x[:8])
    before = peak()
    run(x)
    print(peak() - before)
"""


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("how", ["graph", "xla"])
def test_memory_grows_by_a_carry_a_step_for_gradients_alone(how: str) -> None:
    def megabytes(what: str) -> float:
        code = [sys.executable, "-c", textwrap.dedent(MEASURE), what, how]
        done = subprocess.run(code, capture_output=True, text=True, check=True)
        return float(done.stdout)

    assert megabytes("value") < 150  # 100 carries are 400 MB.
    assert 200 < megabytes("gradient") < 1000
