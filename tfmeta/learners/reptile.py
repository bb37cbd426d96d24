"""Reptile."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Episode, Labels, Options, Values
from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner import Adam, UpdateRule
from tfmeta.inner.modes import ModeName
from tfmeta.learners.gradient_learner import GradientLearner


@keras.saving.register_keras_serializable("tfmeta")
class Reptile(GradientLearner):
    """Meta-learns weights by moving them towards the weights that each task ends with.

    `adapt` takes minibatch steps on the support loss. The meta-gradient is the
    displacement: the weights before the steps minus the weights after them. With plain
    gradient descent of rate 1 as the outer optimizer, one outer step goes to the mean
    of the adapted weights. Nothing is differentiated twice, and the queries only
    monitor the loss. Train with more shots than the test will have.

    Args:
        net: A built Keras net.
        inner_steps: The number of minibatch steps in training.
        inner_lr: The rate of Adam without a first moment, whose second moments are
            carried from task to task; None for 0.001. If `rule` is a class, `inner_lr`
            is the rate of that rule; None for the rule's default.
        rule: Another rule for the inner steps, or its class.
        eval_steps: The number of minibatch steps outside training; None for
            `inner_steps`.
        inner_batch: The number of support examples in a minibatch; None for all. The
            examples come in a fixed order, in which the classes take turns.
        normalisation: Where batch normalisation takes the statistics for queries from:
            "support" (the support set), "task" (the queries themselves) or "running"
            (moving averages). In the inner steps each minibatch is normalised by its
            own statistics; with "running" only in training, and by moving averages
            afterwards.
        **kwargs: For `Learner`, such as `targets`.

    Raises:
        ValueError: If a number is out of range, the rule has variables to train, or
            the net regularises its weights.

    Reference:
        A. Nichol, J. Achiam, J. Schulman, "On First-Order Meta-Learning Algorithms",
        arXiv 1803.02999, 2018.
        Differs from the paper: the tasks of an outer step start from the same second
        moments of Adam, and these are averaged over the tasks, where the paper's code
        goes from task to task. The minibatches are not shuffled.
    """

    headed = (Labels, Values)

    def __init__(
        self,
        net: keras.Model,
        *,
        inner_steps: int = 5,
        inner_lr: float | None = None,
        rule: UpdateRule | type[UpdateRule] | None = None,
        eval_steps: int | None = 50,
        inner_batch: int | None = 10,
        normalisation: ModeName = "support",
        **kwargs: Any,
    ):
        def own_rule(learning_rate: float = 1e-3) -> UpdateRule:
            return Adam(learning_rate=learning_rate, beta_1=0.0, carried=True)

        super().__init__(
            net,
            rule=rule,
            inner_lr=inner_lr,
            own_rule=own_rule,
            inner_steps=inner_steps,
            eval_steps=eval_steps,
            inner_batch=inner_batch,
            head="net",
            normalisation=normalisation,
            **kwargs,
        )
        if self.rule.trainable_variables:
            raise ValueError(
                "Reptile moves weights alone: it cannot train the variables of "
                f"rule={type(self.rule).__name__}. Give a rule without any, such as "
                "Adam."
            )
        _refuse_regularisers(net)

    def meta_gradients(
        self, episode: Episode, options: Options
    ) -> tuple[Tensor, dict[str, Nest], list[Tensor]]:
        """The displacement; see `Learner.meta_gradients`.

        The loss and the predictions are those of the queries after the inner steps.
        """
        adapted = self.adapt(episode.support, options)
        loss, outputs = self.query_loss(adapted, episode.query, options)
        moved = self.descent.displacement(adapted)
        gradients = [
            moved.get(id(v), tf.zeros_like(v.value)) for v in self.trainable_variables
        ]
        return loss, outputs, gradients


def _refuse_regularisers(net: keras.Model) -> None:
    """Without a loss there is nothing that a regulariser could be added to."""
    regularised = [v.path for v in net.trainable_variables if v.regularizer]
    if regularised:
        raise ValueError(
            "Reptile takes a net without regularisers of weights: it has no gradient "
            "of a loss to which theirs could be added. Received: regularisers of "
            f"{len(regularised)} weights, the first of {regularised[0]}. Leave them "
            "out, or give the outer optimizer a weight_decay."
        )
