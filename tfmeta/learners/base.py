"""The interface of a method: two verbs, written for one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Episode, Examples, Nest, Tensor
from tfmeta.core.normalised_net import NormalisedNet
from tfmeta.core.task_map import map_tasks
from tfmeta.inner import UpdateRule
from tfmeta.inner.fast_weights import FastWeights, natural_head
from tfmeta.ops import task_loss


class Learner(keras.layers.Layer):
    """A method that learns from a support set and answers queries.

    A learner owns the meta-parameters (its trainable variables) and two pure verbs,
    `adapt` and `predict`, written for one task; `MetaModel` maps them over tasks.
    Most learners define those two only. `loss` is for those whose objective needs
    more than the queries' mean loss, `meta_gradients` for those whose gradient is
    not backpropagation through `loss`.

    Every learner is final: combine, do not subclass one.

    Args:
        net: The Keras net it adapts or embeds with; None for one without.
        normalisation: Where the net's normalisation takes its statistics from; see
            `tfmeta.core.normalised_net.NormalisedNet`.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If the net and the mode do not go together.
    """

    def __init__(
        self,
        net: keras.Model | None = None,
        *,
        normalisation: str = "support",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.net: Any = net
        self._normalisation = normalisation
        self._normalised: Any = (
            None if net is None else NormalisedNet(net, normalisation)
        )
        self.built = True

    @property
    def normalisation(self) -> str:
        """The normalisation mode; "none" where the net has no statistics."""
        return "none" if self._normalised is None else self._normalised.mode

    @property
    def statistics(self) -> list[keras.Variable]:
        """The net's moving statistics, which training averages over tasks."""
        return [] if self._normalised is None else self._normalised.statistics

    @property
    def default_steps(self) -> int | None:
        """Inner steps outside training; None for a learner that takes none."""
        return None

    @property
    def max_way(self) -> int | None:
        """The most classes it can serve; None for any number."""
        return None

    def adapt(
        self,
        support: Examples,
        *,
        training: bool = False,
        steps: int | None = None,
        seed: Tensor | None = None,
    ) -> Nest:
        """Learns a task from its support set; pure.

        Args:
            support: `x` `(examples, ...)`; `y` `(examples,)` int32 labels in
                `0..way-1`, or float targets.
            training: Whether the learner is being meta-trained.
            steps: Inner steps, for learners that take any; None for its own number.
            seed: Scalar integer for what is random inside, or None.

        Returns:
            Whatever `predict` needs: any nest of tensors.
        """
        raise NotImplementedError(f"{type(self).__name__} must define adapt.")

    def predict(
        self,
        adapted: Nest,
        x: Tensor,
        *,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Answers queries; pure.

        Args:
            adapted: What `adapt` returned.
            x: `(queries, ...)`.
            training: Whether the learner is being meta-trained.
            seed: Scalar integer for what is random inside, or None.

        Returns:
            Logits `(queries, way)`, or values.
        """
        raise NotImplementedError(f"{type(self).__name__} must define predict.")

    @property
    def grows(self) -> bool:
        """Whether `merge` adds classes to what is adapted."""
        return False

    def merge(self, adapted: Nest, more: Nest) -> Nest:
        """Joins what was adapted to two support sets of different classes; pure.

        Args:
            adapted: What `adapt` returned for the one.
            more: What it returned for the other.

        Returns:
            What `adapt` would return for both, the classes of `more` after those of
            `adapted`.

        Raises:
            ValueError: If its classes must be learned together (`grows` is False).
        """
        raise ValueError(
            f"{type(self).__name__} learns all classes of a task together. Adapt it to "
            "all of them at once."
        )

    def trajectory(self, support: Examples, *, steps: int) -> Nest:
        """What `adapt` gives after 0, 1, ... `steps` inner steps.

        Args:
            support: As in `adapt`.
            steps: The last number of steps.

        Returns:
            The nest of `adapt` with a leading axis of `steps + 1`.

        Raises:
            ValueError: If `steps` is below 0, or the learner takes no inner steps
                (`default_steps` is None).
        """
        raise ValueError(
            f"{type(self).__name__} takes no inner steps, so it has no trajectory."
        )

    def loss(
        self, episode: Episode, *, seed: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Nest]]:
        """The meta-training objective of one task.

        Args:
            episode: One task's support and query sets.
            seed: Scalar integer for what is random inside, or None.

        Returns:
            The mean loss over the queries, a scalar, and the outputs: `predictions`,
            and `state`, a tensor for each of `statistics`, their new values (empty if
            the mode keeps none).
        """
        adapted = self.adapt(episode.support, training=True, seed=seed)
        return self.query_loss(adapted, episode.query, seed=seed)

    def query_loss(
        self, adapted: Nest, query: Examples, *, seed: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Nest]]:
        """The loss of one task's queries, in training, once it is adapted.

        Args:
            adapted: What `adapt` returned with `training`.
            query: The queries and their labels or targets.
            seed: Scalar integer for what is random inside, or None.

        Returns:
            What `loss` returns.
        """
        predictions = self.predict(adapted, query.x, training=True, seed=seed)
        state = []
        if self._normalised is not None and self.normalisation == "running":
            state = self._normalised.new_statistics(adapted["state"])
        outputs = {"predictions": predictions, "state": state}
        return task_loss(predictions, query.y), outputs

    def meta_gradients(
        self, episode: Episode, *, seed: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Nest], list[Tensor]]:
        """The loss of one task and what the outer optimizer shall be given for it.

        Args:
            episode: One task's support and query sets.
            seed: Scalar integer for what is random inside, or None.

        Returns:
            The loss, the outputs of `loss`, and a tensor for each of
            `trainable_variables`.
        """
        variables = [v.value for v in self.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(variables)
            loss, outputs = self.loss(episode, seed=seed)
        gradients = tape.gradient(
            loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return loss, outputs, [tf.convert_to_tensor(g) for g in gradients]

    def adapt_many(self, support: Examples, *, steps: int | None = None) -> Nest:
        """`adapt` for a batch of tasks, each tensor with a leading task axis."""
        adapted, _ = map_tasks(
            lambda task: (self.adapt(task, steps=steps), []), support
        )
        return adapted

    def predict_many(self, adapted: Nest, x: Tensor) -> Tensor:
        """`predict` for a batch of tasks, each tensor with a leading task axis."""
        logits, _ = map_tasks(lambda task: (self.predict(*task), []), (adapted, x))
        return logits

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again, the net's config included."""
        config = super().get_config()
        if self.net is not None:
            config["net"] = keras.saving.serialize_keras_object(self.net)
            config["normalisation"] = self._normalisation
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Learner:
        """Makes a learner from what `get_config` returned."""
        return cls(
            **{
                key: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict)
                else value
                for key, value in config.items()
            }
        )


class GradientLearner(Learner):
    """A learner that adapts copies of its net's weights by gradient steps; abstract.

    It has the two verbs; a learner made from it says how the steps go, and what, if
    anything, is meta-trained.

    Args:
        net: A built Keras net.
        rule: How a gradient becomes a step.
        inner_steps: Inner steps in training.
        eval_steps: Inner steps outside training; None for `inner_steps`.
        first_order: Whether the steps' gradients count as constants.
        head: "net", "prototypes" or "zeros", see `FastWeights`; None: "net" if the
            net ends in a linear Dense layer, else "prototypes".
        fast: For each of the net's trainable variables, whether it adapts; None for
            all. A made head always does.
        batch_size: Support examples a step looks at; None for all.
        normalisation: See `NormalisedNet`.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range.

    Attributes:
        meta_trained: Whether meta-training it is its method; of the class.
    """

    meta_trained = True

    def __init__(
        self,
        net: keras.Model,
        *,
        rule: UpdateRule,
        inner_steps: int,
        eval_steps: int | None = None,
        first_order: bool = True,
        head: str | None = None,
        fast: Sequence[bool] | None = None,
        batch_size: int | None = None,
        normalisation: str = "support",
        **kwargs: Any,
    ):
        super().__init__(net, normalisation=normalisation, **kwargs)
        for name, value, least in (
            ("inner_steps", inner_steps, 0),
            ("eval_steps", eval_steps, 0),
            ("batch_size", batch_size, 1),
        ):
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}. Received: {value}.")
        self.inner_steps, self.eval_steps = inner_steps, eval_steps
        self.rule = rule
        self.head = head or natural_head(net)
        self._weights = FastWeights(
            self._normalised,
            rule,
            head=self.head,
            first_order=first_order,
            fast=fast,
            batch_size=batch_size,
        )
        if not rule.built:
            rule.build(self._weights.shapes)

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """What meta-training moves: nothing in a learner that takes its net as is."""
        return super().trainable_variables if self.meta_trained else []

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
        """Takes inner steps on the support loss; see `Learner.adapt`.

        Returns:
            `params`, the adapted weights; `state`, the normalisation statistics for
            the queries; for labels also `present` `(way,)` bool.
        """
        if steps is None:
            steps = self.inner_steps if training else self.default_steps
        return self._weights.adapt(support, steps=steps, training=training, seed=seed)

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


def as_learner(model: Any) -> Learner:
    """The learner of a `MetaModel`, or the learner itself.

    Args:
        model: Either of them.

    Returns:
        The learner.

    Raises:
        ValueError: If it is neither.
    """
    learner = getattr(model, "learner", model)
    if not isinstance(learner, Learner):
        raise ValueError(
            "Needs a tfmeta.MetaModel or a tfmeta.learners.Learner. "
            f"Received: {type(model).__name__}."
        )
    return learner
