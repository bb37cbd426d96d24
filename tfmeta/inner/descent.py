"""Gradient steps on a support loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfmeta.core.episode import Tensor
from tfmeta.inner.base import UpdateRule
from tfmeta.inner.unroll import trajectory, unroll


def descend(
    objective: Callable[[list[Tensor], Tensor], Tensor],
    params: list[Tensor],
    rule: UpdateRule,
    *,
    steps: int,
    variables: Sequence[keras.Variable] = (),
    first_order: bool = False,
    differentiable: bool = True,
    keep: bool = False,
) -> list[Tensor]:
    """Takes inner steps down an objective.

    Args:
        objective: Of the parameters and the step's number, to a scalar. Tensors it
            reads beside them and `variables` count as constants.
        params: Where to start.
        rule: How a gradient becomes a step.
        steps: How many, at least 0.
        variables: The trainable variables that the objective or the rule reads.
        first_order: Whether the gradient counts as a constant for who differentiates
            through the steps: the step's derivative is then the identity.
        differentiable: Whether anyone will differentiate through the steps.
        keep: Whether to return the parameters on the whole way.

    Returns:
        The parameters after the last step; with `keep`, those before the first and
        after each step, each `(steps + 1, ...)`.
    """

    def step(carry, index):
        params, state = carry
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(params)
            loss = objective(params, index)
        grads = tape.gradient(
            loss, params, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if first_order:
            grads = [tf.stop_gradient(g) for g in grads]
        return rule.update(grads, state, params, index)

    carry = (params, rule.init(params))
    if keep:
        return trajectory(step, carry, steps=steps)[0]
    return unroll(
        step,
        carry,
        steps=steps,
        variables=variables,
        differentiable=differentiable,
    )[0]
