"""What the outer steps of meta-training and of pretraining share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Tensor
from tfmeta.inner.body import at_least_float32

_NOT_FINITE = "Training stops before this step changes a weight."
# The sentence of `finite_step` within TensorFlow's error.
_TOLD = re.compile(r"The (loss|norm of the meta-gradient) is \S+ at step \d+[^.]*\.")


def loss_scale(optimizer: Any) -> Tensor | None:
    """The factor by which an optimizer wants the loss multiplied.

    Under the policy "mixed_float16" Keras wraps an optimizer in `LossScaleOptimizer`,
    which takes gradients of the scaled loss.

    Args:
        optimizer: A Keras optimizer.

    Returns:
        A scalar float32, or None for an optimizer that scales no loss.
    """
    one = tf.constant(1.0)
    scale = optimizer.scale_loss(one)
    return None if scale is one else tf.cast(scale, tf.float32)


def overflow_scale(optimizer: Any) -> Tensor | None:
    """The loss scale of an optimizer that leaves out steps which overflow.

    Args:
        optimizer: A Keras optimizer.

    Returns:
        A scalar float32; None for an optimizer that takes every step, such as one with
        a fixed `loss_scale_factor`.
    """
    leaves_out = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return loss_scale(optimizer) if leaves_out else None


def apply_scaled(
    optimizer: Any,
    gradients: list[Tensor],
    variables: list[keras.Variable],
    losses: Tensor,
) -> None:
    """Hands gradients to an optimizer that may expect those of a scaled loss.

    Args:
        optimizer: The outer Keras optimizer.
        gradients: The gradient of the loss for each variable, not scaled.
        variables: The variables that the optimizer moves.
        losses: The loss of each task. If the optimizer leaves out steps that overflow,
            a loss that is not finite counts as an overflow.
    """
    scale = loss_scale(optimizer)
    if scale is not None:
        gradients = [g * tf.cast(scale, g.dtype) for g in gradients]
    if overflow_scale(optimizer) is not None:
        sound = tf.reduce_all(tf.math.is_finite(losses))
        gradients[0] = tf.where(sound, gradients[0], float("nan"))
    optimizer.apply(gradients, variables)


def gradient_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients together, a scalar of float32 or float64."""
    return tf.linalg.global_norm(
        [tf.cast(g, at_least_float32(g.dtype)) for g in gradients]
    )


def with_regularisers(
    gradients: list[Tensor], variables: list[keras.Variable]
) -> list[Tensor]:
    """Adds the gradients of the weights' regularisers, once an outer step.

    Args:
        gradients: The gradient of the tasks' mean loss for each variable.
        variables: The variables, some of which may have a regulariser.

    Returns:
        The gradient of the loss and the regularisers for each variable.
    """
    values = [v.value for v in variables]
    with tf.GradientTape() as tape:
        penalties = [v.regularizer(v) for v in variables if v.regularizer]
        total = tf.add_n(penalties) if penalties else None
    if total is None:
        return gradients
    extra = tape.gradient(
        total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return [g + e for g, e in zip(gradients, extra, strict=True)]


def finite(values: Tensor, scale: Tensor | None) -> Tensor:
    """The finite ones of a step's losses, for a running mean.

    Args:
        values: `(tasks,)`.
        scale: What `overflow_scale` returned. Only an optimizer with such a scale can
            go on after an overflow; without it all losses are returned.
    """
    if scale is None:
        return values
    return tf.boolean_mask(values, tf.math.is_finite(values))


@contextmanager
def finite_steps(hint: str = "") -> Iterator[None]:
    """Turns the error of a step that is not finite into a `FloatingPointError`.

    Args:
        hint: Further sentences for the error.

    Raises:
        FloatingPointError: If a loss or a gradient is not finite. The error names the
            step, and for the loss of a task the task.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = _TOLD.search(str(error.message))
        if found is None:
            raise
        raise FloatingPointError(
            f"{found[0]} {_NOT_FINITE} {hint}Lower the learning rates, or clip the "
            "outer gradient."
        ) from None


@contextmanager
def finite_step(
    losses: Tensor,
    norm: Tensor,
    step: Tensor,
    *,
    scale: Tensor | None = None,
    numbers: Tensor | None = None,
) -> Iterator[None]:
    """Makes each assignment in a `with` block wait for a check of losses and gradients.

    If one of them is not finite, the graph stops with an error and assigns nothing.
    Where the loss is scaled, an overflow of half precision is no error, as long as the
    scale is above 1 and can still be lowered.

    Args:
        losses: `(tasks,)`, the loss of each task; a scalar where there are no tasks.
        norm: The norm of the gradients, a scalar.
        step: The number of the step, from 1.
        scale: What `overflow_scale` returned.
        numbers: `(tasks,)`, the number of each task's episode; None if unknown.
    """
    sound = tf.math.is_finite(losses)
    passes = tf.reduce_all(sound) & tf.math.is_finite(norm)
    if scale is not None:
        passes |= scale > 1
    told = tf.where(
        tf.reduce_all(sound),
        tf.strings.format(
            "The norm of the meta-gradient is {} at step {}.", (norm, step)
        ),
        _told_loss(losses, sound, step, numbers),
    )
    check = tf.debugging.Assert(
        passes, [tf.strings.regex_replace(told, "-nan", "nan"), _NOT_FINITE]
    )
    with tf.control_dependencies([check]):
        yield


def _told_loss(
    losses: Tensor, sound: Tensor, step: Tensor, numbers: Tensor | None
) -> Tensor:
    first, place = losses, ""
    if losses.shape.rank:
        task = tf.argmin(tf.cast(sound, tf.int32))
        first, place = losses[task], tf.strings.format(", task {}", task)
        if numbers is not None:
            place += tf.strings.format(" (episode {})", numbers[task])
    return tf.strings.format("The loss is {} at step {}", (first, step)) + place + "."
