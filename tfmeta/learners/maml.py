"""Model-agnostic meta-learning."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.core import Labels, Values
from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.inner.adapt_only import AdaptOnly
from tfmeta.inner.heads import HeadName
from tfmeta.inner.modes import ModeName
from tfmeta.learners.gradient_learner import GradientLearner

_RATE = 0.4


@keras.saving.register_keras_serializable("tfmeta")
class MAML(GradientLearner):
    """Meta-learns weights from which a few gradient steps solve a new task.

    `adapt` takes gradient steps on the support loss from the net's weights. Training
    moves those weights so that the queries' loss after the steps is small; the
    gradient goes through the steps, second derivatives included, exactly.

    A net whose outputs are logits serves tasks of as many classes as it has outputs. A
    net that embeds is given a head in each task, made from the class means of its
    outputs, and then serves any number of classes (Proto-MAML).

    Args:
        net: A built Keras net. Unless `first_order`, all its operations must have right
            second derivatives, see `tfmeta.layers.check_exact`;
            `tfmeta.layers.adaptable` mends most nets.
        inner_steps: The number of inner steps in training.
        inner_lr: The inner step size; None for 0.4. If `rule` is a class, `inner_lr` is
            the rate of that rule; None for the rule's default.
        rule: Another rule for the inner steps, or its class; `LearnedRates` makes MAML
            into Meta-SGD.
        eval_steps: The number of inner steps outside training; None for `inner_steps`.
        first_order: Whether to drop the second derivatives (FOMAML).
        adapt_only: The weights that adapt: whole parts of their paths inside the net,
            such as "head" (ANIL), or a function of a path; None for all.
        head: The last layer: "net" (the net's own), or a linear layer that is made for
            each task, from the class means of the net's outputs ("prototypes") or from
            zeros ("zeros"). None is "net" if the net's last operation with weights is
            linear, else "prototypes".
        normalisation: Where batch normalisation takes its statistics from: "support"
            (the support set, so that a query's answer depends on no other query),
            "task" (each set of examples itself, so that an answer depends on the other
            queries: transductive, as in the paper's code) or "running" (in training as
            "task", afterwards moving averages).
        targets: "labels" or "values"; None to find out from the data.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range, or if the net cannot be used so, as
            where second derivatives are wrong; one error names all faults and remedies.

    Reference:
        C. Finn, P. Abbeel, S. Levine, "Model-Agnostic Meta-Learning for Fast
        Adaptation of Deep Networks", ICML 2017. For `adapt_only="head"`: A. Raghu,
        M. Raghu, S. Bengio, O. Vinyals, "Rapid Learning or Feature Reuse? Towards
        Understanding the Effectiveness of MAML", ICLR 2020.
        Differs from the paper: by default queries are normalised by the support set's
        statistics; `normalisation="task"` does as the paper's code does.
    """

    headed = (Labels, Values)

    def __init__(
        self,
        net: keras.Model,
        *,
        inner_steps: int = 1,
        inner_lr: float | None = None,
        rule: UpdateRule | type[UpdateRule] | None = None,
        eval_steps: int | None = None,
        first_order: bool = False,
        adapt_only: AdaptOnly | None = None,
        head: HeadName | None = None,
        normalisation: ModeName = "support",
        targets: Any = None,
        **kwargs: Any,
    ):
        def own_rule(learning_rate: float = _RATE) -> UpdateRule:
            return GradientDescent(learning_rate=learning_rate)

        super().__init__(
            net,
            inner_steps=inner_steps,
            inner_lr=inner_lr,
            rule=rule,
            own_rule=own_rule,
            eval_steps=eval_steps,
            first_order=first_order,
            adapt_only=adapt_only,
            head=head,
            normalisation=normalisation,
            targets=targets,
            **kwargs,
        )
