"""Clipping the inner gradient."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.rules.base import Step, UpdateRule


@keras.saving.register_keras_serializable("tfmeta")
class ClipNorm(UpdateRule):
    """Scales gradients down if their norm is too large; takes no step by itself.

    The norm is that of all parameters' gradients together. Another rule takes the step:
    `chain(ClipNorm(norm=1.0), GradientDescent(learning_rate=0.4))`.

    Args:
        norm: The largest Euclidean norm that is let through, above zero.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If `norm` is not above zero.
    """

    takes_step = False

    def __init__(self, *, norm: float, **kwargs: Any):
        super().__init__(**kwargs)
        if not norm > 0:
            raise ValueError(f"norm must be above 0. Received: {norm}.")
        self.norm = norm

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Returns the gradients, scaled; see `UpdateRule.update`."""
        squares = tf.add_n([tf.reduce_sum(tf.square(g)) for g in grads])
        # The maximum comes before the root: the root of 0 has no finite derivative.
        scale = self.norm * tf.math.rsqrt(tf.maximum(squares, self.norm**2))
        return [scale * g for g in grads], state
