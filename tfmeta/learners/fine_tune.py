"""The baseline of transfer learning: go on training a pretrained net."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.learners.gradient_learner import GradientLearner


@keras.saving.register_keras_serializable("tfmeta")
class FineTune(GradientLearner):
    """Trains all weights of a pretrained net on the support set.

    The net is one that `tfmeta.training.pretrain` has trained on all meta-train tasks
    together. One that embeds is given a linear head that starts at zero in every
    task, for any way; one whose outputs are logits or values keeps its own. FineTune
    has no training of its own.

    Args:
        net: A trained Keras net.
        eval_steps: Full-batch steps on the support set.
        inner_lr: The rate of gradient descent in them, 0.01 if it is None; of a `rule`
            that is a class its rate, the class's own if it is None. Adam, whose first
            steps are equally large for all weights, spoils a pretrained net.
        rule: Another rule for the steps, or its class.
        normalisation: "running" (as the net was pretrained), "support" or "task".
        **kwargs: For `Learner`, such as `targets`.

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
        eval_steps: int = 50,
        inner_lr: float | None = None,
        rule: UpdateRule | type[UpdateRule] | None = None,
        normalisation: str = "running",
        **kwargs: Any,
    ):
        super().__init__(
            net,
            rule=rule,
            inner_lr=inner_lr,
            own_rule=GradientDescent,
            inner_steps=eval_steps,
            eval_steps=eval_steps,
            made_head="zeros",
            normalisation=normalisation,
            **kwargs,
        )
