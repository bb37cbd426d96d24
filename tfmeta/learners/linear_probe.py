"""The baseline of representation learning: a linear layer on a frozen net."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.inner import Adam, UpdateRule
from tfmeta.inner.modes import ModeName
from tfmeta.learners.gradient_learner import GradientLearner


@keras.saving.register_keras_serializable("tfmeta")
class LinearProbe(GradientLearner):
    """Trains a linear classifier on a pretrained net's embeddings of the support set.

    The net is one that `tfmeta.training.pretrain` has trained to tell all meta-train
    classes apart; it stays as it is, and embeds the support set once. The linear
    layer starts at zero in every task, and takes any way and shot. LinearProbe is not
    meta-trained.

    Args:
        net: A trained Keras net that embeds: `(examples, ...)` to
            `(examples, features)`.
        eval_steps: The number of full-batch steps on the support set.
        inner_lr: The rate of Adam; None for 0.01. If `rule` is a class, `inner_lr` is
            the rate of that rule; None for the rule's default.
        rule: Another rule for the steps, or its class.
        normalisation: Where batch normalisation takes its statistics from: "running"
            (the moving averages of pretraining), "support" (the support set) or "task"
            (each set of examples itself); see `tfmeta.inner.Body`.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range.

    Reference:
        W.-Y. Chen, Y.-C. Liu, Z. Kira, Y.-C. Wang, J.-B. Huang, "A Closer Look at
        Few-shot Classification", ICLR 2019, where it is called Baseline.
        Differs from the paper: the layer is trained by full batches, and by Adam.
    """

    meta_trained = False
    pretrained = True

    def __init__(
        self,
        net: keras.Model,
        *,
        eval_steps: int = 100,
        inner_lr: float | None = None,
        rule: UpdateRule | type[UpdateRule] | None = None,
        normalisation: ModeName = "running",
        **kwargs: Any,
    ):
        def own_rule(learning_rate: float = 0.01) -> UpdateRule:
            return Adam(learning_rate=learning_rate)

        super().__init__(
            net,
            rule=rule,
            inner_lr=inner_lr,
            own_rule=own_rule,
            inner_steps=eval_steps,
            eval_steps=eval_steps,
            head="zeros",
            adapt_net=False,
            normalisation=normalisation,
            targets="labels",
            **kwargs,
        )
