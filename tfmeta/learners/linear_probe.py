"""The baseline of representation learning: a linear layer on a frozen net."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.inner import Adam, UpdateRule, descend
from tfmeta.learners.base import Learner
from tfmeta.ops import count_ways, present_classes, task_loss


@keras.saving.register_keras_serializable("tfmeta")
class LinearProbe(Learner):
    """Trains a linear classifier on a pretrained net's embeddings of the support set.

    The net is one that `tfmeta.training.pretrain` has trained to tell all meta-train
    classes apart; it stays as it is, and embeds the support set once. The linear
    layer starts at zero in every task. Any way and shot. It has no training of its
    own.

    Args:
        net: A trained Keras net that embeds: `(examples, ...)` to
            `(examples, features)`.
        train_steps: Full-batch steps on the support set.
        learning_rate: Adam's rate in them, if no `rule` is given.
        rule: Another rule for the steps.
        normalisation: "running" (as the net was pretrained), "support" or "task".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range.

    Reference:
        W.-Y. Chen, Y.-C. Liu, Z. Kira, Y.-C. Wang, J.-B. Huang, "A Closer Look at
        Few-shot Classification", ICLR 2019, where it is called Baseline.
        Differs from the paper: full batches, and Adam.
    """

    def __init__(
        self,
        net: keras.Model,
        *,
        train_steps: int = 100,
        learning_rate: float = 0.01,
        rule: UpdateRule | None = None,
        normalisation: str = "running",
        **kwargs: Any,
    ):
        super().__init__(net, normalisation=normalisation, **kwargs)
        if train_steps < 0:
            raise ValueError(
                f"train_steps must be at least 0. Received: {train_steps}."
            )
        self.train_steps, self.learning_rate = train_steps, learning_rate
        self.rule = rule or Adam(learning_rate=learning_rate)
        if not self.rule.built:
            self.rule.build([(net.output_shape[-1], None), (None,)])

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """None: it takes its net as it is."""
        return []

    @property
    def default_steps(self) -> int:
        """Inner steps outside training."""
        return self.train_steps

    def adapt(
        self,
        support: Examples,
        *,
        training: bool = False,
        steps: int | None = None,
        seed: Tensor | None = None,
    ) -> Nest:
        """Trains the linear layer; see `Learner.adapt`.

        Returns:
            `kernel` `(features, way)`, `bias` `(way,)`, `present` `(way,)` bool, and
            `state`.
        """
        objective, start, fixed = self._task(support, training, seed)
        steps = self.default_steps if steps is None else steps
        kernel, bias = descend(
            objective, start, self.rule, steps=steps, differentiable=False
        )
        return {"kernel": kernel, "bias": bias, **fixed}

    def predict(
        self,
        adapted: Nest,
        x: Tensor,
        *,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Embeds the queries and classifies them; see `Learner.predict`."""
        params = functional.parameters(self.net)
        z = self._normalised.query(
            params, adapted["state"], x, training=training, seed=seed
        )
        return _logits(z, adapted["kernel"], adapted["bias"], adapted["present"])

    def trajectory(self, support: Examples, *, steps: int) -> Nest:
        """What `adapt` gives after 0, 1, ... steps; see `Learner.trajectory`."""
        objective, start, fixed = self._task(support, False, None)
        kernel, bias = descend(objective, start, self.rule, steps=steps, keep=True)
        fixed = tf.nest.map_structure(
            lambda t: tf.repeat(t[None], steps + 1, axis=0), fixed
        )
        return {"kernel": kernel, "bias": bias, **fixed}

    def _task(self, support: Examples, training: bool, seed) -> tuple[Any, list, Nest]:
        """The support loss, where it starts, and what does not adapt."""
        params = functional.parameters(self.net)
        z, state = self._normalised.support(
            params, support.x, training=training, seed=seed
        )
        way = count_ways(support.y)
        present = present_classes(support.y, way)
        start = [tf.zeros((z.shape[-1], way), z.dtype), tf.zeros((way,), z.dtype)]

        def objective(params, index):
            kernel, bias = params
            return task_loss(_logits(z, kernel, bias, present), support.y)

        return objective, start, {"present": present, "state": state}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "train_steps": self.train_steps,
            "learning_rate": self.learning_rate,
            "rule": keras.saving.serialize_keras_object(self.rule),
        }


def _logits(z: Tensor, kernel: Tensor, bias: Tensor, present: Tensor) -> Tensor:
    absent = tf.constant(-float("inf"), z.dtype)
    return tf.where(present, tf.matmul(z, kernel) + bias, absent)
