"""The baseline without meta-training: a net trained on the support set alone."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta import keras_internals
from tfmeta.core import Labels, Values
from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.inner.modes import ModeName
from tfmeta.learners.gradient_learner import GradientLearner
from tfmeta.nets import fresh


@keras.saving.register_keras_serializable("tfmeta")
class FromScratch(GradientLearner):
    """Trains a randomly initialised net on the support set, and nothing else.

    Its score is what a net of the same architecture reaches without any other task; a
    meta-learner must be above it. A net whose outputs are logits serves as many
    classes as it has outputs. A net that embeds gets a linear head, made from the
    class means of its outputs.

    Args:
        net: A built Keras net, of which only the architecture is used. The learner
            adapts a copy with new random weights.
        eval_steps: The number of full-batch steps on the support set.
        inner_lr: The rate of gradient descent; None for 0.1. If `rule` is a class,
            `inner_lr` is the rate of that rule; None for the rule's default.
        rule: Another rule for the steps, or its class.
        seed: The seed of the initial weights.
        normalisation: Where batch normalisation takes its statistics from: "support"
            (the support set), "task" (each set of examples itself) or "running"; see
            `tfmeta.inner.Body`.
        **kwargs: For `Learner`, such as `targets`.

    Raises:
        ValueError: If a number is out of range, the rule carries moments from task to
            task, or the net cannot run in the normalisation mode.
    """

    meta_trained = False
    headed = (Labels, Values)

    def __init__(
        self,
        net: keras.Model,
        *,
        eval_steps: int = 10,
        inner_lr: float | None = None,
        rule: UpdateRule | type[UpdateRule] | None = None,
        seed: int = 0,
        normalisation: ModeName = "support",
        **kwargs: Any,
    ):
        if seed < 0:
            raise ValueError(f"seed must be at least 0. Received: {seed}.")
        copy = fresh(net, seed=seed)
        # Even layers frozen in `net`: their weights are random. Keras hands a change of
        # `trainable` to the layers below, and a value that stays is no change.
        for layer in keras_internals.descendants(copy):
            layer.trainable = True

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
        self.seed = seed
