"""What the outer steps of meta-training and of pretraining share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core.episode import Tensor
from tfmeta.inner.body import at_least_float32

_NOT_FINITE = "Training stops before this step changes a weight."
# The sentence of `_finite_step` within TensorFlow's error.
_TOLD = re.compile(
    r"The (loss|norm of the meta-gradient|largest moving statistic) is \S+ at step "
    r"\d+[^.]*\."
)


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


def take_outer_step(
    model: Any,
    gradients: list[Tensor],
    losses: Tensor,
    *,
    numbers: Tensor | None = None,
    statistics: Sequence[Tensor] = (),
) -> Tensor:
    """Hands gradients to a model's optimizer, and keeps new moving statistics.

    If a loss, the gradients or the statistics are not finite, the graph stops with an
    error and changes nothing; see `finite_steps`. `LossScaleOptimizer` leaves such a
    step out instead and lowers its scale, as long as the scale is above 1; statistics
    that are not finite are left out too.

    Args:
        model: A compiled `MetaModel` or `PretrainModel`.
        gradients: The gradient of the loss for each of the model's `trained`, not
            scaled.
        losses: `(tasks,)`, the loss of each task; a scalar where there are no tasks.
        numbers: `(tasks,)`, the number of each task's episode; None if unknown.
        statistics: New values of the learner's `statistics`; () keeps the old ones.

    Returns:
        The norm of all gradients together, a scalar.
    """
    optimizer = model.optimizer
    floats = [tf.cast(g, at_least_float32(g.dtype)) for g in gradients]
    norm = tf.linalg.global_norm(floats)
    scale, sound = loss_scale(optimizer), tf.math.is_finite(losses)
    leaves_out = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    largest = _largest(statistics)
    finite = tf.math.is_finite(norm) & tf.math.is_finite(largest)
    passes = tf.reduce_all(sound) & finite
    if scale is not None:
        passes |= leaves_out & (scale > 1)
        gradients = [g * tf.cast(scale, g.dtype) for g in gradients]
    if leaves_out:  # An overflow that the losses show counts like one of a gradient.
        gradients[0] = tf.where(tf.reduce_all(sound), gradients[0], float("nan"))
    told = _told(losses, norm, largest, optimizer.iterations + 1, numbers)
    with tf.control_dependencies([tf.debugging.Assert(passes, [told, _NOT_FINITE])]):
        optimizer.apply(gradients, model.trained)
        if statistics:
            _keep(model.learner.statistics, statistics, tf.math.is_finite(largest))
    if leaves_out:
        losses = tf.boolean_mask(losses[tf.newaxis], sound[tf.newaxis])
    keras_internals.loss_tracker(model).update_state(losses)
    return norm


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


def _largest(statistics: Sequence[Tensor]) -> Tensor:
    """The largest magnitude of all; zero if there are none, NaN if one is."""
    tops = [tf.reduce_max(tf.abs(tf.cast(s, tf.float32))) for s in statistics]
    # A sum, since the maximum of a NaN and a number may be the number.
    poison = tf.add_n([top * 0 for top in tops]) if tops else tf.constant(0.0)
    return tf.reduce_max(tf.stack([tf.constant(0.0), *tops])) + poison


def _keep(
    variables: list[keras.Variable], values: Sequence[Tensor], finite: Tensor
) -> None:
    """Assigns moving statistics if all are finite: some are the weights of others."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.where(finite, value, variable.value))


def _told(
    losses: Tensor,
    norm: Tensor,
    largest: Tensor,
    step: Tensor,
    numbers: Tensor | None,
) -> Tensor:
    """A sentence that says what is not finite, and where."""
    sound = tf.math.is_finite(losses)
    first, place = losses, ""
    if losses.shape.rank:
        task = tf.argmin(tf.cast(sound, tf.int32))
        first, place = losses[task], tf.strings.format(", task {}", task)
        if numbers is not None:
            place += tf.strings.format(" (episode {})", numbers[task])
    loss = tf.strings.format("The loss is {} at step {}", (first, step)) + place + "."
    gradient = tf.strings.format(
        "The norm of the meta-gradient is {} at step {}.", (norm, step)
    )
    statistic = tf.strings.format(
        "The largest moving statistic is {} at step {}.", (largest, step)
    )
    told = tf.where(tf.math.is_finite(norm), statistic, gradient)
    told = tf.where(tf.reduce_all(sound), told, loss)
    return tf.strings.regex_replace(told, "-nan", "nan")
