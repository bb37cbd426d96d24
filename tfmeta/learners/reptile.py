"""Reptile."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Episode, Nest, Tensor
from tfmeta.inner import Adam, UpdateRule
from tfmeta.learners.base import GradientLearner


@keras.saving.register_keras_serializable("tfmeta")
class Reptile(GradientLearner):
    """Meta-learns weights by moving them towards what each task's training ends at.

    `adapt` takes minibatch steps on the support loss. The meta-gradient is the
    displacement, weights before minus weights after: with plain gradient descent of
    rate 1 as outer optimizer one outer step goes to the mean of the adapted weights.
    Nothing is differentiated twice, and the queries only monitor the loss. Train with
    more shots than the test will have.

    Args:
        net: A built Keras net.
        inner_steps: Minibatches in training.
        inner_lr: Adam's rate in the inner steps, if no `rule` is given.
        rule: Another rule for the inner steps.
        eval_steps: Minibatches outside training; None for `inner_steps`.
        batch_size: Support examples in a minibatch. They come in a fixed order, the
            classes in turn.
        normalisation: "support", "task" (transductive) or "running". In the inner
            steps each minibatch is normalised by its own statistics, unless served
            with "running".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range, or the rule has variables to train.

    Reference:
        A. Nichol, J. Achiam, J. Schulman, "On First-Order Meta-Learning Algorithms",
        arXiv 1803.02999, 2018.
        Differs from the paper: Adam's moments start anew in each task, which makes its
        first steps equally large for all weights, however little they matter; with
        `rule=GradientDescent(learning_rate=0.1)` Omniglot is learned much faster.
        The minibatches are not shuffled.
    """

    def __init__(
        self,
        net: keras.Model,
        *,
        inner_steps: int = 5,
        inner_lr: float = 1e-3,
        rule: UpdateRule | None = None,
        eval_steps: int | None = 50,
        batch_size: int | None = 10,
        normalisation: str = "support",
        **kwargs: Any,
    ):
        super().__init__(
            net,
            rule=rule or Adam(learning_rate=inner_lr, beta_1=0.0),
            inner_steps=inner_steps,
            eval_steps=eval_steps,
            batch_size=batch_size,
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
        self.inner_lr, self.batch_size = inner_lr, batch_size

    def meta_gradients(
        self, episode: Episode, *, seed: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Nest], list[Tensor]]:
        """The displacement; see `Learner.meta_gradients`.

        The loss and the predictions are those of the queries after the inner steps.
        """
        adapted = self.adapt(episode.support, training=True, seed=seed)
        loss, outputs = self.query_loss(adapted, episode.query, seed=seed)
        moved = {
            id(variable): move
            for variable, move in zip(
                self.net.trainable_variables,
                self._weights.displacement(adapted),
                strict=True,
            )
        }
        gradients = [
            moved.get(id(v), tf.zeros_like(v.value)) for v in self.trainable_variables
        ]
        return loss, outputs, gradients

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "inner_steps": self.inner_steps,
            "inner_lr": self.inner_lr,
            "rule": keras.saving.serialize_keras_object(self.rule),
            "eval_steps": self.eval_steps,
            "batch_size": self.batch_size,
        }
