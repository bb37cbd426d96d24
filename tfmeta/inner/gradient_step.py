"""One gradient step on a support loss, for `scan` to repeat."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.rules.base import Step, UpdateRule
from tfmeta.inner.scan import ScanStep

Objective = Callable[[list[Tensor], Tensor], Tensor]


def gradient_step(
    objective: Objective,
    rule: UpdateRule,
    *,
    steps: int,
    first_order: bool = False,
) -> ScanStep:
    """Makes a step that lowers an objective.

    The carry is the pair of the parameters and the rule's state; the first carry is
    `(params, rule.init(params))`. The output of a step is ().

    Args:
        objective: A function of the parameters and the step's number, which returns a
            scalar loss.
        rule: The rule that turns a gradient into an update.
        steps: The number of all steps, which the rule is told.
        first_order: Whether differentiation through the steps treats each gradient as a
            constant. The derivative of a step with respect to the parameters is then
            the identity.

    Returns:
        The step, for `scan`.
    """

    def step(carry: Nest, index: Tensor) -> tuple[Nest, Nest]:
        params, state = carry
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(params)
            loss = objective(params, index)
        grads = tape.gradient(
            loss, params, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        grads = [tf.convert_to_tensor(g) for g in grads]
        if first_order:
            grads = [tf.stop_gradient(g) for g in grads]
        told = Step(index, steps, tf.stop_gradient(loss) if first_order else loss)
        updates, state = rule.update(grads, state, params, told)
        moved = [p + u for p, u in zip(params, updates, strict=True)]
        return (moved, state), ()

    return step
