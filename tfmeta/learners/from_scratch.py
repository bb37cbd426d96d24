"""The baseline without meta-training: a net trained on the support set alone."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.inner import GradientDescent
from tfmeta.learners.base import GradientLearner
from tfmeta.nets import fresh


@keras.saving.register_keras_serializable("tfmeta")
class FromScratch(GradientLearner):
    """Trains a randomly initialised net on the support set, and nothing else.

    What a net of the same architecture reaches without having seen another task; a
    meta-learner must be above it. A net that ends in a Dense layer serves as many
    classes as it has outputs; another is given a linear head made from the class
    means of its outputs.

    Args:
        net: The architecture. Its weights are not used: they are drawn anew.
        train_steps: Full-batch gradient steps on the support set.
        learning_rate: Their size.
        draw: The seed of the initial weights.
        normalisation: As in `MAML`.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range, or the net and the mode do not go
            together.
    """

    meta_trained = False

    def __init__(
        self,
        net: keras.Model,
        *,
        train_steps: int = 10,
        learning_rate: float = 0.1,
        draw: int = 0,
        normalisation: str = "support",
        **kwargs: Any,
    ):
        if train_steps < 0 or draw < 0:
            raise ValueError(
                "train_steps and draw must be at least 0. Received: "
                f"train_steps={train_steps}, draw={draw}."
            )
        copy = fresh(net, seed=draw)
        copy.trainable = True  # Frozen layers too: their weights were drawn anew.
        super().__init__(
            copy,
            rule=GradientDescent(learning_rate=learning_rate),
            inner_steps=train_steps,
            normalisation=normalisation,
            **kwargs,
        )
        self.train_steps, self.learning_rate = train_steps, learning_rate
        self.draw = draw

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "train_steps": self.train_steps,
            "learning_rate": self.learning_rate,
            "draw": self.draw,
        }
