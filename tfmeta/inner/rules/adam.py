"""Adam as an inner rule."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.body import at_least_float32
from tfmeta.inner.rules.base import Step, UpdateRule


@keras.saving.register_keras_serializable("tfmeta")
class Adam(UpdateRule):
    """Adam, whose moments start anew in every task.

    Its steps can be differentiated: their derivative is finite even where a gradient
    is zero.

    Args:
        learning_rate: The step size, above zero.
        beta_1: The share of the running mean of gradients that a step keeps; 0 (as in
            Reptile) uses the gradient alone.
        beta_2: The share of the running mean of squared gradients that a step keeps.
        epsilon: The lower bound of the root mean square that a step is divided by.
        carried: Whether the running means of squared gradients start where those of the
            training tasks before ended, as in Reptile; else they start from zero, which
            makes the first steps equally large for all weights.
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
        carried: bool = False,
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
        self.carried = carried
        self._statistics: list[keras.Variable] = []

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Makes what is carried: the running means, and the sum of their weights.

        Raises:
            ValueError: If a head is made for each task, which leaves nothing to carry
                its moments in.
        """
        if self.carried:
            if any(None in shape for shape in input_shape):
                raise ValueError(
                    "Adam(carried=True) needs weights that all tasks share, but a head "
                    "is made for each task. Give a net that ends in logits, or leave "
                    "out carried."
                )
            self._statistics = [
                self.add_weight(
                    shape=shape,
                    initializer="zeros",
                    trainable=False,
                    dtype=at_least_float32(tf.as_dtype(self.variable_dtype)).name,
                    autocast=False,  # A square of half precision is often zero.
                    name=f"carried{place}",
                )
                for place, shape in enumerate([*input_shape, ()])
            ]
        self.built = True

    @property
    def statistics(self) -> list[keras.Variable]:
        """The running means of squared gradients, and the sum of their weights."""
        return self._statistics

    def kept(self, state: Nest) -> list[Tensor]:
        """The running means after a task; see `UpdateRule.kept`."""
        if not self.carried:
            return []
        values = zip(self._statistics, [*state[1], state[2]], strict=True)
        return [tf.cast(value, variable.dtype) for variable, value in values]

    def init(self, params: list[Tensor]) -> Nest:
        """The moments before the first step, and the weight that the second have."""
        zeros = [tf.zeros_like(p) for p in params]
        if not self.carried:
            return zeros, zeros, tf.zeros((), params[0].dtype)
        *second, weight = [variable.value for variable in self._statistics]
        second = [tf.cast(v, p.dtype) for v, p in zip(second, params, strict=True)]
        return zeros, second, tf.cast(weight, params[0].dtype)

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Takes one step; see `UpdateRule.update`."""
        weight = self.beta_2 * state[2] + (1 - self.beta_2)

        def move(m, v):
            count = tf.cast(step.number + 1, m.dtype)
            m = m / (1 - tf.constant(self.beta_1, m.dtype) ** count)
            v = v / tf.cast(weight, v.dtype)
            return -self.learning_rate * m * tf.math.rsqrt(v + self.epsilon**2)

        def mean(old, new, beta):
            return [beta * o + (1 - beta) * n for o, n in zip(old, new, strict=True)]

        first = mean(state[0], grads, self.beta_1)
        second = mean(state[1], [g * g for g in grads], self.beta_2)
        updates = [move(m, v) for m, v in zip(first, second, strict=True)]
        return updates, (first, second, weight)
