"""The baseline of transfer learning: go on training a pretrained net."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.inner.fast_weights import natural_head
from tfmeta.learners.base import GradientLearner


@keras.saving.register_keras_serializable("tfmeta")
class FineTune(GradientLearner):
    """Trains all weights of a pretrained net on the support set.

    The net is one that `tfmeta.training.pretrain` has trained on all meta-train tasks
    together. One that embeds is given a linear head that starts at zero in every
    task, for any way; one that ends in a linear Dense layer keeps it. It has no
    training of its own.

    Args:
        net: A trained Keras net.
        train_steps: Full-batch steps on the support set.
        learning_rate: The rate of gradient descent in them, if no `rule` is given.
            Adam, whose first steps are equally large for all weights, spoils a
            pretrained net.
        rule: Another rule for the steps.
        normalisation: "running" (as the net was pretrained), "support" or "task".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range.

    Reference:
        W.-Y. Chen, Y.-C. Liu, Z. Kira, Y.-C. Wang, J.-B. Huang, "A Closer Look at
        Few-shot Classification", ICLR 2019.
        Differs from the paper: every weight is trained, by full batches.
    """

    meta_trained = False

    def __init__(
        self,
        net: keras.Model,
        *,
        train_steps: int = 50,
        learning_rate: float = 0.01,
        rule: UpdateRule | None = None,
        normalisation: str = "running",
        **kwargs: Any,
    ):
        super().__init__(
            net,
            rule=rule or GradientDescent(learning_rate=learning_rate),
            inner_steps=train_steps,
            head="net" if natural_head(net) == "net" else "zeros",
            normalisation=normalisation,
            **kwargs,
        )
        self.train_steps, self.learning_rate = train_steps, learning_rate

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "train_steps": self.train_steps,
            "learning_rate": self.learning_rate,
            "rule": keras.saving.serialize_keras_object(self.rule),
        }
