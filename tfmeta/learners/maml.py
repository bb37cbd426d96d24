"""Model-agnostic meta-learning."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.inner import GradientDescent, UpdateRule
from tfmeta.inner.fast_weights import FastWeights, natural_head
from tfmeta.layers import check_exact
from tfmeta.learners.base import Learner


@keras.saving.register_keras_serializable("tfmeta")
class MAML(Learner):
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
        rule: Another rule for the inner steps.
        eval_steps: Inner steps outside training; None for `inner_steps`.
        first_order: Whether to drop the second derivatives (FOMAML).
        head: "net", "prototypes", or None: "net" if the net ends in a Dense layer.
        normalisation: "support" (a query's answer depends on no other query), "task"
            (transductive, as in the paper's code) or "running".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range, or if the net has layers whose second
            derivatives are wrong; it names them and the remedy.

    Reference:
        C. Finn, P. Abbeel, S. Levine, "Model-Agnostic Meta-Learning for Fast
        Adaptation of Deep Networks", ICML 2017.
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
        head: str | None = None,
        normalisation: str = "support",
        **kwargs: Any,
    ):
        super().__init__(net, normalisation=normalisation, **kwargs)
        for name, value in (("inner_steps", inner_steps), ("eval_steps", eval_steps)):
            if value is not None and value < 0:
                raise ValueError(f"{name} must be at least 0. Received: {value}.")
        if not first_order:
            check_exact(net)
        self.inner_steps, self.inner_lr = inner_steps, inner_lr
        self.eval_steps = eval_steps
        self.first_order = first_order
        self.rule = rule or GradientDescent(learning_rate=inner_lr)
        self.head = head or natural_head(net)
        self._weights = FastWeights(
            self._normalised, self.rule, head=self.head, first_order=first_order
        )
        if not self.rule.built:
            self.rule.build(self._weights.shapes)

    @property
    def default_steps(self) -> int:
        """Inner steps outside training."""
        return self.inner_steps if self.eval_steps is None else self.eval_steps

    @property
    def max_way(self) -> int | None:
        """The most classes it can serve; None for any number."""
        return self.net.output_shape[-1] if self.head == "net" else None

    def adapt(
        self,
        support: Examples,
        *,
        training: bool = False,
        steps: int | None = None,
        seed: Tensor | None = None,
    ) -> Nest:
        """Takes inner steps on the support loss; see `Learner.adapt`."""
        return self._weights.adapt(
            support, steps=self._steps(training, steps), training=training, seed=seed
        )

    def predict(
        self,
        adapted: Nest,
        x: Tensor,
        *,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Runs the adapted net; see `Learner.predict`."""
        return self._weights.predict(adapted, x, training=training, seed=seed)

    def trajectory(self, support: Examples, *, steps: int) -> Nest:
        """What `adapt` gives after 0, 1, ... steps; see `Learner.trajectory`."""
        return self._weights.trajectory(support, steps=steps)

    def _steps(self, training: bool, steps: int | None) -> int:
        if steps is not None:
            return steps
        return self.inner_steps if training else self.default_steps

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "inner_steps": self.inner_steps,
            "inner_lr": self.inner_lr,
            "rule": keras.saving.serialize_keras_object(self.rule),
            "eval_steps": self.eval_steps,
            "first_order": self.first_order,
            "head": self.head,
        }
