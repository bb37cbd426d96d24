"""A net whose weights adapt to a task by gradient steps."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.core.normalised_net import NormalisedNet
from tfmeta.inner.base import UpdateRule
from tfmeta.inner.descent import descend
from tfmeta.ops import class_means, count_ways, present_classes, task_loss

HEADS = ("net", "prototypes")


class FastWeights:
    """Adapts copies of a net's weights to a support set; pure.

    The head is the net's own last layer, of as many outputs as there may be classes,
    or one made for each task from the class means of the net's outputs: the linear
    layer whose logits are the negative squared distances to them, up to a constant.
    Classes absent from the support set get the logit -inf.

    Args:
        net: The net and its normalisation.
        rule: How a gradient becomes a step.
        head: "net" or "prototypes".
        first_order: Whether the steps' gradients count as constants.

    Raises:
        ValueError: If there is no such head.

    Reference:
        E. Triantafillou et al., "Meta-Dataset: A Dataset of Datasets for Learning to
        Learn from Few Examples", ICLR 2020, for the head made from prototypes.
        Differs from the paper: does not.
    """

    def __init__(
        self, net: NormalisedNet, rule: UpdateRule, *, head: str, first_order: bool
    ):
        if head not in HEADS:
            raise ValueError(f"head must be one of {HEADS}. Received: {head!r}.")
        self.net, self.rule = net, rule
        self.head, self.first_order = head, first_order

    @property
    def shapes(self) -> list[tuple[int | None, ...]]:
        """The shapes of the adapted parameters, a made head's with an open way."""
        shapes = [tuple(v.shape) for v in self.net.net.trainable_variables]
        if self.head == "prototypes":
            shapes += [(self.net.net.output_shape[-1], None), (None,)]
        return shapes

    def adapt(
        self, support: Examples, *, steps: int, training: bool, seed=None
    ) -> dict[str, Any]:
        """Takes inner steps on the support loss.

        Args:
            support: `x` `(examples, ...)`, `y` `(examples,)`.
            steps: How many.
            training: Whether gradients through the steps will be asked for.
            seed: Scalar integer for dropout, or None.

        Returns:
            `params`, the adapted weights; `state`, the normalisation statistics for
            the queries; for labels also `present`, `(way,)` bool.
        """
        objective, params, present = self._task(support, training, seed)
        params = descend(
            objective,
            params,
            self.rule,
            steps=steps,
            variables=[
                *self.net.net.trainable_variables,
                *self.rule.trainable_variables,
            ],
            first_order=self.first_order,
            differentiable=training,
        )
        return self._adapted(params, present, support, training, seed)

    def trajectory(self, support: Examples, *, steps: int) -> dict[str, Any]:
        """What `adapt` returns after 0, 1, ... steps, stacked `(steps + 1, ...)`."""
        objective, params, present = self._task(support, False, None)
        path = descend(objective, params, self.rule, steps=steps, keep=True)
        return tf.map_fn(
            lambda params: self._adapted(params, present, support, False, None),
            path,
            fn_output_signature=tf.nest.map_structure(
                lambda t: tf.TensorSpec(t.shape, t.dtype),
                self._adapted(params, present, support, False, None),
            ),
        )

    def predict(
        self, adapted: dict[str, Any], x: Tensor, *, training: bool, seed=None
    ) -> Tensor:
        """Answers queries with adapted weights.

        Args:
            adapted: What `adapt` returned.
            x: `(queries, ...)`.
            training: Whether the learner is being meta-trained.
            seed: Scalar integer for dropout, or None.

        Returns:
            Logits `(queries, way)`, or values.
        """
        weights, head = self._split(adapted["params"])
        outputs = self.net.query(
            weights, adapted["state"], x, training=training, seed=seed
        )
        return self._logits(outputs, head, adapted.get("present"))

    def _split(self, params: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The net's weights and the made head's."""
        count = len(self.net.net.trainable_variables)
        return list(params[:count]), list(params[count:])

    def _logits(self, outputs: Tensor, head: list[Tensor], present) -> Tensor:
        if head:
            outputs = tf.matmul(outputs, head[0]) + head[1]
        if present is None:
            return outputs
        return tf.where(present, outputs, tf.constant(-float("inf"), outputs.dtype))

    def _task(self, support: Examples, training: bool, seed) -> tuple[Any, list, Nest]:
        """The support loss, the parameters to start from, the classes present."""
        params = functional.parameters(self.net.net)
        present = None
        if support.y.dtype.is_integer:
            way = self.net.net.output_shape[-1]
            if self.head == "prototypes":
                way = count_ways(support.y)
                z, _ = self.net.support(params, support.x, training=training, seed=seed)
                means = class_means(z, support.y, way)
                params += [2.0 * tf.transpose(means), -tf.reduce_sum(means**2, -1)]
            present = present_classes(support.y, way)

        def objective(params):
            weights, head = self._split(params)
            outputs, _ = self.net.support(
                weights, support.x, training=training, seed=seed
            )
            return task_loss(self._logits(outputs, head, present), support.y)

        return objective, params, present

    def _adapted(self, params, present, support, training, seed) -> dict[str, Any]:
        """Adds what queries need beside the weights.

        The statistics are those of the support set under the adapted weights.
        """
        state: list[Tensor] = []
        if self.net.mode == "support" or (training and self.net.mode == "running"):
            weights, _ = self._split(params)
            _, state = self.net.support(
                weights, support.x, training=training, seed=seed
            )
        adapted = {"params": params, "state": state}
        return adapted if present is None else {**adapted, "present": present}


def natural_head(net: keras.Model) -> str:
    """The head a net comes with.

    Args:
        net: A Keras model.

    Returns:
        "net" if its last layer is Dense and linear, else "prototypes".
    """
    last = net.layers[-1]
    linear = getattr(last, "activation", None) is keras.activations.linear
    return "net" if isinstance(last, keras.layers.Dense) and linear else "prototypes"
