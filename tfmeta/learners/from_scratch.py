"""The baseline without meta-training: a net trained on the support set alone."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.inner import GradientDescent
from tfmeta.inner.fast_weights import FastWeights, natural_head
from tfmeta.learners.base import Learner
from tfmeta.nets import fresh


@keras.saving.register_keras_serializable("tfmeta")
class FromScratch(Learner):
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
        super().__init__(copy, normalisation=normalisation, **kwargs)
        self.train_steps, self.learning_rate = train_steps, learning_rate
        self.draw = draw
        self._weights = FastWeights(
            self._normalised,
            GradientDescent(learning_rate=learning_rate),
            head=natural_head(net),
            first_order=True,
        )

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """None: meta-training it would make it another method."""
        return []

    @property
    def default_steps(self) -> int:
        """Inner steps outside training."""
        return self.train_steps

    @property
    def max_way(self) -> int | None:
        """The most classes it can serve; None for any number."""
        return self.net.output_shape[-1] if self._weights.head == "net" else None

    def adapt(
        self,
        support: Examples,
        *,
        training: bool = False,
        steps: int | None = None,
        seed: Tensor | None = None,
    ) -> Nest:
        """Trains on the support set; see `Learner.adapt`."""
        steps = self.default_steps if steps is None else steps
        return self._weights.adapt(support, steps=steps, training=training, seed=seed)

    def predict(
        self,
        adapted: Nest,
        x: Tensor,
        *,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Runs the trained net; see `Learner.predict`."""
        return self._weights.predict(adapted, x, training=training, seed=seed)

    def trajectory(self, support: Examples, *, steps: int) -> Nest:
        """What `adapt` gives after 0, 1, ... steps; see `Learner.trajectory`."""
        return self._weights.trajectory(support, steps=steps)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "train_steps": self.train_steps,
            "learning_rate": self.learning_rate,
            "draw": self.draw,
        }
