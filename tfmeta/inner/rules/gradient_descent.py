"""Plain gradient descent, the inner rule of MAML."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.rules.base import Step, UpdateRule


@keras.saving.register_keras_serializable("tfmeta")
class GradientDescent(UpdateRule):
    """Steps against the gradient: the update is `-learning_rate * gradient`.

    Args:
        learning_rate: The step size, above zero.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If the learning rate is not above zero.
    """

    def __init__(self, *, learning_rate: float = 0.01, **kwargs: Any):
        super().__init__(**kwargs)
        if not learning_rate > 0:
            raise ValueError(
                "learning_rate must be above 0, as the size of an inner step. "
                f"Received: {learning_rate}."
            )
        self.learning_rate = learning_rate

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Takes one step; see `UpdateRule.update`."""
        return [-self.learning_rate * g for g in grads], state
