"""A net whose weights adapt to a task by gradient steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.core.normalised_net import NormalisedNet
from tfmeta.inner.base import UpdateRule
from tfmeta.inner.descent import descend
from tfmeta.inner.minibatches import minibatch, spread_order
from tfmeta.ops import class_means, count_ways, present_classes, task_loss

HEADS = ("net", "prototypes", "zeros")


class FastWeights:
    """Adapts copies of a net's weights to a support set; pure.

    The head is the net's own last layer, of as many outputs as there may be classes;
    or a linear layer made for each task on top of the net's outputs. Made from
    "prototypes", its logits are the negative squared distances to the class means, up
    to a constant; made from "zeros", it begins without an opinion. Classes absent
    from the support set get the logit -inf.

    Args:
        net: The net and its normalisation.
        rule: How a gradient becomes a step.
        head: "net", "prototypes" or "zeros".
        first_order: Whether the steps' gradients count as constants.
        fast: For each of the net's trainable variables, whether it adapts; None for
            all. A made head always does.
        batch_size: Support examples a step looks at; None for all.

    Raises:
        ValueError: If there is no such head, or nothing would adapt.

    Reference:
        E. Triantafillou et al., "Meta-Dataset: A Dataset of Datasets for Learning to
        Learn from Few Examples", ICLR 2020, for the head made from prototypes.
        Differs from the paper: does not.
    """

    def __init__(
        self,
        net: NormalisedNet,
        rule: UpdateRule,
        *,
        head: str,
        first_order: bool,
        fast: Sequence[bool] | None = None,
        batch_size: int | None = None,
    ):
        if head not in HEADS:
            raise ValueError(f"head must be one of {HEADS}. Received: {head!r}.")
        self.net, self.rule = net, rule
        self.head, self.first_order = head, first_order
        self.batch_size = batch_size
        variables = net.net.trainable_variables
        self._fast = [True] * len(variables) if fast is None else list(fast)

    @property
    def shapes(self) -> list[tuple[int | None, ...]]:
        """The shapes of the adapted parameters, a made head's with an open way."""
        shapes: list[tuple[int | None, ...]] = [
            tuple(v.shape) for v in self._of_fast(self.net.net.trainable_variables)
        ]
        if self.head != "net":
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

        def after(params):
            return self._adapted(params, present, support, False, None)

        return tf.map_fn(
            after,
            path,
            fn_output_signature=tf.nest.map_structure(
                lambda t: tf.TensorSpec(t.shape, t.dtype), after(params)
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

    def displacement(self, adapted: dict[str, Any]) -> list[Tensor]:
        """How far each of the net's trainable variables moved: before minus after.

        Args:
            adapted: What `adapt` returned.

        Returns:
            A tensor for each; zeros for those that do not adapt.
        """
        before = functional.parameters(self.net.net)
        after, _ = self._split(adapted["params"])
        return [b - a for b, a in zip(before, after, strict=True)]

    def _of_fast(self, values: Sequence[Any]) -> list[Any]:
        return [v for v, fast in zip(values, self._fast, strict=True) if fast]

    def _split(self, params: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """All weights of the net, the adapted ones put in, and the made head's."""
        moved = iter(params)
        # A weight that adapts is not read: a saved model shall not hold it twice.
        weights = [
            next(moved) if fast else tf.convert_to_tensor(variable.value)
            for variable, fast in zip(
                self.net.net.trainable_variables, self._fast, strict=True
            )
        ]
        return weights, list(moved)

    def _logits(self, outputs: Tensor, head: list[Tensor], present) -> Tensor:
        if head:
            outputs = tf.matmul(outputs, head[0]) + head[1]
        if present is None:
            return outputs
        return tf.where(present, outputs, tf.constant(-float("inf"), outputs.dtype))

    def _task(self, support: Examples, training: bool, seed) -> tuple[Any, list, Nest]:
        """The support loss, the parameters to start from, the classes present."""
        params = self._of_fast(functional.parameters(self.net.net))
        present = None
        if support.y.dtype.is_integer:
            way = self.net.net.output_shape[-1]
            if self.head != "net":
                way = count_ways(support.y)
            present = present_classes(support.y, way)
        params += self._made_head(support, training, seed)
        size = self.batch_size
        order = None if size is None else spread_order(support.y)

        def objective(params, index):
            weights, head = self._split(params)
            seen = support
            if size is not None:
                seen = minibatch(support, order, index, size)
            outputs, _ = self.net.support(
                weights,
                seen.x,
                training=training,
                seed=functional.folded(seed, index),
            )
            return task_loss(self._logits(outputs, head, present), seen.y)

        return objective, params, present

    def _made_head(self, support: Examples, training: bool, seed) -> list[Tensor]:
        """The kernel `(features, way)` and bias of a head for this task, if one is."""
        if self.head == "net":
            return []
        way = count_ways(support.y)
        features = self.net.net.output_shape[-1]
        if self.head == "zeros":
            dtype = self.net.net.compute_dtype
            return [tf.zeros((features, way), dtype), tf.zeros((way,), dtype)]
        params = functional.parameters(self.net.net)
        z, _ = self.net.support(params, support.x, training=training, seed=seed)
        means = class_means(z, support.y, way)
        return [2.0 * tf.transpose(means), -tf.reduce_sum(means**2, -1)]

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
