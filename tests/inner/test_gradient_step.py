"""One step of a rule on an objective."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.inner import GradientDescent, UpdateRule, gradient_step, scan


class Told(UpdateRule):
    """Writes down what it is told: the loss, the number, and of how many."""

    def init(self, params):
        return tf.zeros((3,))

    def update(self, grads, state, params, step):
        told = [step.loss, tf.cast(step.number, tf.float32), float(step.steps)]
        return [tf.ones_like(g) for g in grads], tf.stack(told)


class LossIsRate(UpdateRule):
    """Gradient descent whose rate is the loss."""

    def update(self, grads, state, params, step):
        return [-step.loss * g for g in grads], state


@pytest.mark.parametrize("steps", [2, 7])
def test_a_rule_is_told_the_loss_and_the_step(steps: int) -> None:
    rule, start = Told(), [tf.constant(3.0)]
    step = gradient_step(lambda params, index: params[0] ** 2, rule, steps=steps)
    (params, state), outs = scan(step, (start, rule.init(start)), steps=steps)
    # Each update adds one; the last step began at 3 + steps - 1.
    assert params[0].numpy() == 3 + steps and outs == ()
    assert state.numpy().tolist() == [(3.0 + steps - 1) ** 2, steps - 1, steps]


@pytest.mark.parametrize("steps", [2, 7])
def test_first_order_steps_have_the_identity_as_derivative(steps: int) -> None:
    start, target = tf.constant([1.0, -2.0]), tf.constant([0.5, 0.5])
    rule = GradientDescent(learning_rate=0.1)
    with tf.GradientTape() as tape:
        tape.watch(start)
        step = gradient_step(
            lambda params, _: tf.reduce_sum((params[0] - target) ** 2),
            rule,
            steps=steps,
            first_order=True,
        )
        (end,), _ = scan(step, ([start], ()), steps=steps)[0]
    # Each step keeps 0.8 of the way to the target.
    np.testing.assert_allclose(end, target + 0.8**steps * (start - target), 1e-5)
    np.testing.assert_array_equal(tape.gradient(end, start), [1.0, 1.0])


def test_the_loss_that_first_order_steps_tell_counts_as_constant() -> None:
    start, rule = tf.constant(0.5), LossIsRate()
    with tf.GradientTape() as tape:
        tape.watch(start)
        step = gradient_step(lambda p, _: p[0] ** 2, rule, steps=2, first_order=True)
        ((end,), _), _ = scan(step, ([start], ()), steps=2)
    # 0.5 - 0.25 * 1 = 0.25, then 0.25 - 0.0625 * 0.5.
    assert end.numpy() == 0.21875 and tape.gradient(end, start).numpy() == 1.0


def test_rows_that_were_looked_up_have_gradients() -> None:
    table, rule = tf.ones((4, 2)), GradientDescent(learning_rate=0.5)

    def objective(params, index):
        return tf.reduce_sum(tf.gather(params[0], [1, 1, 3]) ** 2)

    step = gradient_step(objective, rule, steps=1)
    ((moved,), _), _ = scan(step, ([table], ()), steps=1)
    # d/dx of x^2 twice and once, at 1: 4 and 2.
    np.testing.assert_array_equal(moved[:, 0], [1.0, -1.0, 1.0, 0.0])
