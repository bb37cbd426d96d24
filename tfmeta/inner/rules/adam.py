"""Adam as an inner rule."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.rules.base import Step, UpdateRule


@keras.saving.register_keras_serializable("tfmeta")
class Adam(UpdateRule):
    """Adam, whose moments start from zero in every task.

    Its steps can be differentiated: their derivative is finite even where a gradient
    is zero.

    Args:
        learning_rate: The step size, above zero.
        beta_1: The share of the running mean of gradients that a step keeps; 0 (as in
            Reptile) uses the gradient alone.
        beta_2: The share of the running mean of squared gradients that a step keeps.
        epsilon: The lower bound of the root mean square that a step is divided by.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range.

    Reference:
        D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
        Differs from the paper: epsilon is added under the root, as a square.
    """

    def __init__(
        self,
        *,
        learning_rate: float = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not (learning_rate > 0 and epsilon > 0 and 0 <= beta_1 < 1 > beta_2 >= 0):
            raise ValueError(
                "learning_rate and epsilon must be above 0, beta_1 and beta_2 in "
                f"0..1, below 1. Received: learning_rate={learning_rate}, "
                f"beta_1={beta_1}, beta_2={beta_2}, epsilon={epsilon}."
            )
        self.learning_rate = learning_rate
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def init(self, params: list[Tensor]) -> Nest:
        """The moments before the first step, all zero."""
        return (
            [tf.zeros_like(p) for p in params],
            [tf.zeros_like(p) for p in params],
        )

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Takes one step; see `UpdateRule.update`."""

        def move(m, v):
            count = tf.cast(step.number + 1, m.dtype)
            m = m / (1 - tf.constant(self.beta_1, m.dtype) ** count)
            v = v / (1 - tf.constant(self.beta_2, m.dtype) ** count)
            return -self.learning_rate * m * tf.math.rsqrt(v + self.epsilon**2)

        def mean(old, new, beta):
            return [beta * o + (1 - beta) * n for o, n in zip(old, new, strict=True)]

        first = mean(state[0], grads, self.beta_1)
        second = mean(state[1], [g * g for g in grads], self.beta_2)
        updates = [move(m, v) for m, v in zip(first, second, strict=True)]
        return updates, (first, second)
