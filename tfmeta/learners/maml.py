"""Model-agnostic meta-learning."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.inner.adapt_only import AdaptOnly, chosen_to_adapt
from tfmeta.layers import check_exact
from tfmeta.learners.base import GradientLearner


@keras.saving.register_keras_serializable("tfmeta")
class MAML(GradientLearner):
    """Meta-learns weights from which a few gradient steps solve a new task.

    `adapt` takes gradient steps on the support loss from the net's weights. Training
    moves those weights so that the queries' loss after the steps is small; the
    gradient goes through the steps, second derivatives included, exactly.

    A net that ends in a Dense layer of n outputs serves tasks of up to n classes. A
    net without such a head is given one in each task, made from the class means of
    its outputs, and then serves any number of classes (Proto-MAML).

    Args:
        net: A built Keras net. At second order it must be made of exact layers.
        inner_steps: Inner steps in training.
        inner_lr: The inner step size, if no `rule` is given.
        rule: Another rule for the inner steps; `LearnedRates()` makes it Meta-SGD.
        eval_steps: Inner steps outside training; None for `inner_steps`.
        first_order: Whether to drop the second derivatives (FOMAML).
        adapt_only: Which weights adapt: a prefix of their paths, such as "head" (ANIL),
            several, or a function of a path; None for all.
        head: "net", "prototypes", or None: "net" if the net ends in a Dense layer.
        normalisation: "support" (a query's answer depends on no other query), "task"
            (transductive, as in the paper's code) or "running".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range, or if the net has layers whose second
            derivatives are wrong; it names them and the remedy.

    Reference:
        C. Finn, P. Abbeel, S. Levine, "Model-Agnostic Meta-Learning for Fast
        Adaptation of Deep Networks", ICML 2017. For `adapt_only="head"`: A. Raghu,
        M. Raghu, S. Bengio, O. Vinyals, "Rapid Learning or Feature Reuse? Towards
        Understanding the Effectiveness of MAML", ICLR 2020.
        Differs from the paper: by default queries are normalised by the support set's
        statistics; `normalisation="task"` is the paper's code.
    """

    def __init__(
        self,
        net: keras.Model,
        *,
        inner_steps: int = 1,
        inner_lr: float = 0.4,
        rule: UpdateRule | None = None,
        eval_steps: int | None = None,
        first_order: bool = False,
        adapt_only: AdaptOnly | None = None,
        head: str | None = None,
        normalisation: str = "support",
        **kwargs: Any,
    ):
        if not first_order:
            check_exact(net)
        fast = chosen_to_adapt(net, adapt_only)
        super().__init__(
            net,
            rule=rule or GradientDescent(learning_rate=inner_lr),
            inner_steps=inner_steps,
            eval_steps=eval_steps,
            first_order=first_order,
            head=head,
            fast=fast,
            normalisation=normalisation,
            **kwargs,
        )
        self.inner_lr, self.first_order = inner_lr, first_order
        self.adapt_only = adapt_only
        if callable(adapt_only):  # Kept as paths, which can be written down.
            self.adapt_only = [
                v.path for v, f in zip(net.trainable_variables, fast, strict=True) if f
            ]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "inner_steps": self.inner_steps,
            "inner_lr": self.inner_lr,
            "rule": keras.saving.serialize_keras_object(self.rule),
            "eval_steps": self.eval_steps,
            "first_order": self.first_order,
            "adapt_only": self.adapt_only,
            "head": self.head,
        }
