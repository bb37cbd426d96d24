"""The baseline of transfer learning: go on training a pretrained net."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.core import Values
from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.inner.modes import ModeName
from tfmeta.learners.gradient_learner import GradientLearner


@keras.saving.register_keras_serializable("tfmeta")
class FineTune(GradientLearner):
    """Trains all weights of a pretrained net on the support set.

    The net is one that `tfmeta.training.pretrain` has trained on all meta-train tasks
    together. A net that embeds gets a linear head, which starts at zero in every task
    and serves any way. A net whose outputs are logits or values keeps its own head.
    FineTune is not meta-trained.

    Args:
        net: A trained Keras net.
        eval_steps: The number of full-batch steps on the support set.
        inner_lr: The rate of gradient descent; None for 0.01. If `rule` is a class,
            `inner_lr` is the rate of that rule; None for the rule's default. Adam,
            whose first steps are equally large for all weights, spoils a pretrained
            net.
        rule: Another rule for the steps, or its class.
        normalisation: Where batch normalisation takes its statistics from: "running"
            (the moving averages of pretraining), "support" (the support set) or "task"
            (each set of examples itself); see `tfmeta.inner.Body`.
        **kwargs: For `Learner`, such as `targets`.

    Raises:
        ValueError: If a number is out of range, or the rule carries moments from task
            to task.

    Reference:
        W.-Y. Chen, Y.-C. Liu, Z. Kira, Y.-C. Wang, J.-B. Huang, "A Closer Look at
        Few-shot Classification", ICLR 2019.
        Differs from the paper: every weight is trained, by full batches.
    """

    meta_trained = False
    pretrained = True
    headed = (Values,)

    def __init__(
        self,
        net: keras.Model,
        *,
        eval_steps: int = 50,
        inner_lr: float | None = None,
        rule: UpdateRule | type[UpdateRule] | None = None,
        normalisation: ModeName = "running",
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
