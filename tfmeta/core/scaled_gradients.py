"""Gradients of a loss that is scaled on the way, as in mixed precision."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Tensor


def scaled_gradients(
    tape: tf.GradientTape, loss: Tensor, variables: list[Tensor], scale: Tensor | None
) -> list[Tensor]:
    """The gradients of a loss that is multiplied by a scale on the way.

    Args:
        tape: The tape that has recorded the loss.
        loss: A scalar.
        variables: What to differentiate with respect to.
        scale: The factor, see `tfmeta.Options.loss_scale`; None for 1.

    Returns:
        The gradient for each variable, divided by the scale, zeros where the loss does
        not depend on it.
    """
    gradients = tape.gradient(
        loss,
        variables,
        output_gradients=None if scale is None else tf.cast(scale, loss.dtype),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    gradients = [tf.convert_to_tensor(g) for g in gradients]
    if scale is None:
        return gradients
    return [g / tf.cast(scale, g.dtype) for g in gradients]
