"""Repeating a step, with gradients whose memory does not grow with the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor

TRACED_STEPS = 5


def unroll(
    step: Callable[[Nest, Tensor], Nest],
    carry: Nest,
    *,
    steps: int,
    variables: Sequence[keras.Variable] = (),
    differentiable: bool = True,
) -> Nest:
    """Applies a step again and again.

    Up to `TRACED_STEPS` differentiable steps are traced out one after the other,
    which is fastest. More run in a while loop that keeps the carry before each step;
    going back, each step is run again from there and gives one vector-Jacobian
    product. What a step computes inside is never kept, so memory grows by one carry
    a step and by nothing else.

    Args:
        step: `(carry, index) -> carry`, with the same shapes in and out. It may read
            `variables`, and tensors from outside that need no gradient.
        carry: Any nest of tensors.
        steps: How often, at least 0.
        variables: The trainable Keras variables that `step` reads and that gradients
            must reach.
        differentiable: Whether gradients will be asked for. Without, nothing is kept.

    Returns:
        The carry after the last step.

    Raises:
        ValueError: If `steps` is below 0.
    """
    _check(steps)
    if differentiable and steps <= TRACED_STEPS:
        for index in range(steps):
            carry = step(carry, tf.constant(index))
        return carry
    if not differentiable:
        return _repeat(step, carry, steps)
    return _repeat_with_gradient(step, carry, steps, list(variables))


def trajectory(step: Callable[[Nest, Tensor], Nest], carry: Nest, *, steps: int):
    """Like `unroll` without gradients, but returns every carry on the way.

    Args:
        step: See `unroll`.
        carry: Any nest of tensors.
        steps: How often, at least 0.

    Returns:
        The carries, `(steps + 1, ...)`: the first is the one given, then one after
        each step.

    Raises:
        ValueError: If `steps` is below 0.
    """
    _check(steps)
    last, before = _repeat(step, carry, steps, keep=True)
    return tf.nest.map_structure(
        lambda kept, end: tf.concat([kept, tf.expand_dims(end, 0)], 0), before, last
    )


def _check(steps: int) -> None:
    if steps < 0:
        raise ValueError(f"steps must be at least 0. Received: {steps}.")


def _repeat(step, carry, steps, *, keep=False):
    flat = [tf.convert_to_tensor(c) for c in tf.nest.flatten(carry)]
    kept = [
        tf.TensorArray(c.dtype, steps, element_shape=c.shape, infer_shape=False)
        for c in (flat if keep else [])
    ]

    def body(index, flat, kept):
        kept = [a.write(index, c) for a, c in zip(kept, flat, strict=False)]
        after = step(tf.nest.pack_sequence_as(carry, flat), index)
        return index + 1, tf.nest.flatten(after), kept

    _, flat, kept = tf.while_loop(
        lambda index, *_: index < steps, body, (0, flat, kept), parallel_iterations=1
    )
    last = tf.nest.pack_sequence_as(carry, flat)
    if not keep:
        return last
    return last, tf.nest.pack_sequence_as(carry, [a.stack() for a in kept])


def _repeat_with_gradient(step, carry, steps, variables):
    structure, num_carry = carry, len(tf.nest.flatten(carry))

    @tf.custom_gradient
    def run(*inputs):
        flat, constants = list(inputs[:num_carry]), list(inputs[num_carry:])

        def bound(flat, index, constants):
            scope = list(zip(variables, constants, strict=True))
            with keras.StatelessScope(state_mapping=scope):
                after = step(tf.nest.pack_sequence_as(structure, flat), index)
            return tf.nest.flatten(after)

        last, before = _repeat(
            lambda c, index: bound(c, index, constants), flat, steps, keep=True
        )

        def gradient(*upstream):
            return _backwards(bound, before, constants, list(upstream), steps)

        return last, gradient

    values = [tf.convert_to_tensor(v.value) for v in variables]
    flat = [tf.convert_to_tensor(c) for c in tf.nest.flatten(carry)]
    return tf.nest.pack_sequence_as(structure, run(*flat, *values))


def _backwards(bound, before, constants, upstream, steps):
    """The reverse loop: gradients of the carry, then of the constants."""

    def floats(tensors):
        return [t for t in tensors if t.dtype.is_floating]

    def body(index, upstream, totals):
        flat = [tf.gather(kept, index) for kept in before]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(floats(flat) + constants)
            after = bound(flat, index, constants)
        grads = tape.gradient(
            floats(after),
            floats(flat) + constants,
            output_gradients=upstream,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        split = len(upstream)
        totals = [t + g for t, g in zip(totals, grads[split:], strict=True)]
        return index - 1, grads[:split], totals

    upstream = [
        u for u, kept in zip(upstream, before, strict=True) if kept.dtype.is_floating
    ]
    _, upstream, totals = tf.while_loop(
        lambda index, *_: index >= 0,
        body,
        (tf.constant(steps - 1), upstream, [tf.zeros_like(c) for c in constants]),
        parallel_iterations=1,
    )
    of_floats = iter(upstream)
    of_carry = [next(of_floats) if k.dtype.is_floating else None for k in before]
    return of_carry + totals
