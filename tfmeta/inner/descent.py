"""Gradient steps on copies of the weights of a net and of a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.core.options import Options
from tfmeta.core.targets import Labels, Targets
from tfmeta.inner.adapt_only import split_net
from tfmeta.inner.body import Body, at_least_float32
from tfmeta.inner.gradient_step import gradient_step
from tfmeta.inner.heads import Head
from tfmeta.inner.minibatches import minibatch, spread_order
from tfmeta.inner.rules.base import UpdateRule
from tfmeta.inner.scan import ScanStep, scan
from tfmeta.ops import masked, present_classes


class Descent:
    """Adapts copies of a net's weights to a support set; pure.

    The fixed part of a net, which comes before all that adapts, runs once, not in every
    step. Classes absent from the support set get the logit -inf.

    Args:
        body: The net and its normalisation.
        rule: The rule that turns a gradient into an update.
        head: The net's own last layer, or a layer that is made for each task. A layer
            that is made always adapts.
        first_order: Whether differentiation through the steps treats their gradients
            as constants.
        adapts: For each of the net's trainable variables, whether it adapts; None for
            all.
        batch_size: The number of support examples that a step looks at; None for all.

    Attributes:
        bodies: The bodies whose states are in an adapted task.
    """

    def __init__(
        self,
        body: Body,
        rule: UpdateRule,
        *,
        head: Head,
        first_order: bool,
        adapts: Sequence[bool] | None = None,
        batch_size: int | None = None,
    ):
        self.body, self.rule, self.head = body, rule, head
        self.first_order, self.batch_size = first_order, batch_size
        variables = body.net.trainable_variables
        self._adapts = [True] * len(variables) if adapts is None else list(adapts)
        parts = split_net(body.net, self._adapts)
        self._fixed, self._adapting = (
            body if net is body.net else net and body.part(net, place)
            for place, net in enumerate(parts)
        )
        self.bodies = [part for part in (self._fixed, self._adapting) if part]
        adapting = [v for v, a in zip(variables, self._adapts, strict=True) if a]
        self._variables = adapting
        shapes = [tuple(v.shape) for v in adapting] + head.shapes(body.features)
        if not rule.built:
            rule.build(shapes)

    def adapt(
        self, support: Examples, options: Options, targets: Targets, steps: int
    ) -> Nest:
        """Takes inner steps on the support loss.

        Args:
            support: `x` `(examples, ...)`, `y` `(examples, ...)`.
            options: `training` and `seed` are read.
            targets: The kind of `y`, labels or values.
            steps: The number of inner steps.

        Returns:
            A dict with `params`, the adapted weights, and `states`, what normalisation
            keeps for the queries. For labels it also has `present`, `(way,)` bool:
            whether the support set has the class. In training it also has `carried`,
            the new values of the rule's `statistics`, if there are any.
        """
        options = options.dropping()  # Of these losses the steps collect their own.
        task = self._task(support, options, targets)
        step = self._step(task, options, steps)
        carry = (task["start"], self.rule.init(task["start"]))
        (params, state), _ = scan(step, carry, steps=steps)
        adapted = self._adapted(params, task, options)
        if options.training and self.rule.statistics:
            adapted["carried"] = self.rule.kept(state)
        return adapted

    def trajectory(
        self,
        support: Examples,
        options: Options,
        targets: Targets,
        steps: int,
        *,
        after: Sequence[int] | None = None,
    ) -> Nest:
        """The results of `adapt` after 0, 1, ... steps, stacked `(steps + 1, ...)`.

        Args:
            support: As in `adapt`.
            options: As in `adapt`.
            targets: As in `adapt`.
            steps: The number of inner steps.
            after: The numbers of steps to return; None for all.

        Returns:
            What `adapt` returns, each tensor with a leading axis of numbers of steps.
        """
        options = options.dropping()
        task = self._task(support, options, targets)
        step = self._step(task, options, steps)

        def told(carry: Nest, index: Tensor) -> tuple[Nest, Nest]:
            carry, _ = step(carry, index)
            return carry, carry[0]

        carry = (task["start"], self.rule.init(task["start"]))
        _, path = scan(told, carry, steps=steps)
        path = [
            tf.concat([start[tf.newaxis], moved], axis=0)
            for start, moved in zip(task["start"], path, strict=True)
        ]
        if after is not None:
            path = [tf.gather(params, list(after)) for params in path]

        def adapted(params: list[Tensor]) -> Nest:
            return self._adapted(params, task, options)

        return tf.map_fn(
            adapted,
            path,
            fn_output_signature=tf.nest.map_structure(
                lambda t: tf.TensorSpec(t.shape, t.dtype), adapted(task["start"])
            ),
        )

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """Answers queries with adapted weights.

        Args:
            adapted: What `adapt` returned.
            x: `(queries, ...)`.
            options: `training` and `seed` are read.

        Returns:
            Logits `(queries, way)`, or the net's outputs.
        """
        weights, head = self._split(adapted["params"])
        states = dict(zip(self.bodies, adapted["states"], strict=True))
        if self._fixed is not None:
            x = self._fixed.query(x, states[self._fixed], options)
        if self._adapting is not None:
            x = self._adapting.query(x, states[self._adapting], options, weights)
        return self._predictions(x, head, adapted.get("present"))

    def displacement(self, adapted: Nest) -> dict[int, Tensor]:
        """How far each adapted variable of the net moved: before minus after.

        Args:
            adapted: What `adapt` returned.

        Returns:
            A dict from the `id` of each adapted variable to its displacement.
        """
        return {
            id(variable): before - after
            for variable, before, after in zip(
                self._variables, self._weights(), adapted["params"], strict=False
            )
        }

    def _weights(self) -> list[Tensor]:
        """The adapting weights before the first step, in no less than float32."""
        values = [tf.convert_to_tensor(v.value) for v in self._variables]
        return [tf.cast(v, at_least_float32(v.dtype)) for v in values]

    def _task(
        self, support: Examples, options: Options, targets: Targets
    ) -> dict[str, Any]:
        """Computes what stays the same in all steps of a task."""
        x, states = support.x, []
        if self._fixed is not None:
            x, state = self._fixed.support(x, options)
            states.append(state)
        weights = self._weights()
        z = x
        if self._adapting is not None and self.head.made:
            z, _ = self._adapting.support(x, options, self._split(weights)[0])
        present = None
        if self.head.made and not isinstance(targets, Labels):
            raise ValueError(
                f"The outputs of the net {self.body.net.name!r} count as an embedding, "
                "on which a head for classes is made, but the task has values. Give "
                'the learner targets="values" if the outputs are values.'
            )
        if isinstance(targets, Labels):
            way = self.head.way(self.body.features, support.y)
            present = present_classes(support.y, way)
        return {
            "support": Examples(x, support.y),
            "targets": targets,
            "states": states,
            "present": present,
            "start": weights + self.head.start(z, support.y),
        }

    def _step(self, task: dict[str, Any], options: Options, steps: int) -> ScanStep:
        support, size = task["support"], self.batch_size
        order = None if size is None else spread_order(support.y)

        def objective(params: list[Tensor], index: Tensor) -> Tensor:
            weights, head = self._split(params)
            seen = support
            if size is not None:
                seen = minibatch(support, order, index, size)
            z = seen.x
            of_step = options.fold("inner step", index).collecting()
            if self._adapting is not None:
                z, _ = self._adapting.support(z, of_step, weights)
            predictions = self._predictions(z, head, task["present"])
            return of_step.collected(task["targets"].loss(predictions, seen.y))

        return gradient_step(
            objective, self.rule, steps=steps, first_order=self.first_order
        )

    def _adapted(
        self, params: list[Tensor], task: dict[str, Any], options: Options
    ) -> Nest:
        """Adds to the weights what else queries need.

        The statistics are those of the support set under the adapted weights.
        """
        states = list(task["states"])
        if self._adapting is not None:
            weights, _ = self._split(params)
            x = task["support"].x
            states.append(self._adapting.state_of(x, options, weights))
        adapted = {"params": params, "states": states}
        present = task["present"]
        return adapted if present is None else {**adapted, "present": present}

    def _split(self, params: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Splits `params` into all weights of the adapting part, and a made head's."""
        count = len(self._variables)
        if self._adapting is None:
            return [], list(params)
        adapted = {
            id(v): p for v, p in zip(self._variables, params[:count], strict=True)
        }
        # The variable of an adapted weight is not read, so that a saved model does not
        # hold the weight twice.
        weights = [
            adapted[id(v)] if id(v) in adapted else tf.convert_to_tensor(v.value)
            for v in self._adapting.net.trainable_variables
        ]
        return weights, list(params[count:])

    def _predictions(self, z: Nest, head: list[Tensor], present: Any) -> Nest:
        logits = self.head.logits(z, head)
        return logits if present is None else masked(logits, present)
