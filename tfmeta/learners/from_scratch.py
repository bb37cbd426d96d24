"""The baseline without meta-training: a net trained on the support set alone."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.learners.gradient_learner import GradientLearner
from tfmeta.nets import fresh


@keras.saving.register_keras_serializable("tfmeta")
class FromScratch(GradientLearner):
    """Trains a randomly initialised net on the support set, and nothing else.

    What a net of the same architecture reaches without having seen another task; a
    meta-learner must be above it. A net whose outputs are logits serves as many
    classes as it has outputs; one that embeds is given a linear head made from the
    class means of its outputs.

    Args:
        net: The architecture. Its weights are not used: they are drawn anew.
        eval_steps: Full-batch steps on the support set.
        inner_lr: The rate of gradient descent in them, 0.1 if it is None; of a `rule`
            that is a class its rate, the class's own if it is None.
        rule: Another rule for the steps, or its class.
        draw: The seed of the initial weights.
        normalisation: As in `MAML`.
        **kwargs: For `Learner`, such as `targets`.

    Raises:
        ValueError: If a number is out of range, or the net and the mode do not go
            together.
    """

    meta_trained = False

    def __init__(
        self,
        net: keras.Model,
        *,
        eval_steps: int = 10,
        inner_lr: float | None = None,
        rule: UpdateRule | type[UpdateRule] | None = None,
        draw: int = 0,
        normalisation: str = "support",
        **kwargs: Any,
    ):
        if draw < 0:
            raise ValueError(f"draw must be at least 0. Received: {draw}.")
        copy = fresh(net, seed=draw)
        copy.trainable = True  # Frozen layers too: their weights were drawn anew.

        def own_rule(learning_rate: float = 0.1) -> UpdateRule:
            return GradientDescent(learning_rate=learning_rate)

        super().__init__(
            copy,
            rule=rule,
            inner_lr=inner_lr,
            own_rule=own_rule,
            inner_steps=eval_steps,
            eval_steps=eval_steps,
            normalisation=normalisation,
            **kwargs,
        )
        self.draw = draw
