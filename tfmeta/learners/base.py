"""The interface of a meta-learning method: two verbs, written for one task."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfmeta.core import (
    Batch,
    Episode,
    Examples,
    Labels,
    Options,
    Targets,
    Values,
    as_targets,
    map_tasks,
    padded,
    targets_of,
)
from tfmeta.core.configured import Configured
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.renamed import refuse_renamed
from tfmeta.core.scaled_gradients import scaled_gradients
from tfmeta.inner import Body
from tfmeta.inner.body import states_in
from tfmeta.inner.modes import ModeName
from tfmeta.nets.given_net import check_net

RENAMED = {
    "batch_size": "inner_batch",
    "draw": "seed",
    "learning_rate": "inner_lr",
    "train_steps": "eval_steps",
}


class Learner(Configured, keras.layers.Layer):
    """A method that learns from a support set and answers queries; abstract.

    A learner owns the meta-parameters (its trainable variables) and two pure verbs,
    `adapt` and `predict`, written for one task; `MetaModel` maps them over tasks.
    Most learners define only these two. Override `loss` if the objective is not the
    queries' mean loss, `meta_gradients` if the gradient is not backpropagation through
    `loss`, and `extend` if the learner can go on from an adapted task.

    Every concrete learner is final: combine learners, do not subclass one. Each
    argument of a learner's constructor is an attribute, and an entry of its config.

    Args:
        net: The Keras net that the learner adapts or embeds with; None for a learner
            without a net. The learner keeps it as `self.net`, and runs it through
            `self.body`.
        normalisation: Where the net's normalisation takes its statistics from:
            "support", "task" or "running"; see `tfmeta.inner.Body`.
        targets: The kind of `y`: "labels" or "values"; None to find out from the data,
            see `targets_for`.
        second_order: Whether the learner's meta-gradient takes second derivatives of
            its nets. Nets whose second derivatives are wrong are then refused.
        vectors: Whether the learner needs a vector for each example from its nets,
            such as an embedding or logits. Nets of other outputs are then refused.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If the net cannot run in the normalisation mode, or a verb of the
            class takes no `options`.

    Attributes:
        headed: The kinds of targets for which a net that is made for the learner ends
            in a head, so that its outputs are the answer; other nets embed.
        pretrained: Whether the net is to be trained by `tfmeta.training.pretrain`.
        adapts: Whether the learner learns from support sets.
    """

    headed: ClassVar[tuple[type[Targets], ...]] = ()
    pretrained: ClassVar[bool] = False
    adapts: ClassVar[bool] = True

    def __init__(
        self,
        net: keras.Model | None = None,
        *,
        normalisation: ModeName = "support",
        targets: Targets | str | None = None,
        second_order: bool = False,
        vectors: bool = False,
        **kwargs: Any,
    ):
        refuse_renamed(type(self).__name__, kwargs, RENAMED)
        self._check_verbs()
        super().__init__(**kwargs)
        if net is not None or _is_needed("net", type(self)):
            check_net(net, type(self).__name__)
        self.net: Any = net
        self.normalisation = normalisation
        self.targets = self._first_targets = as_targets(targets)
        self.bodies: list[Body] = []
        self.second_order, self.vectors = second_order, vectors
        self.body: Any = None if net is None else self.add_body(net)
        self.built = True

    @classmethod
    def _check_verbs(cls) -> None:
        """Refuses verbs that do not take options."""
        for verb in ("adapt", "predict", "loss", "meta_gradients"):
            if "options" not in inspect.signature(getattr(cls, verb)).parameters:
                raise ValueError(
                    f"{cls.__name__}.{verb} must take `options`, a tfmeta.Options, "
                    "which holds training, steps and seed. Add it as the last argument."
                )

    def add_body(self, net: keras.Model) -> Body:
        """Makes a body around a further net, for a learner with several nets.

        Args:
            net: A built Keras net. Keep it as an attribute of the learner too, so that
                Keras tracks its variables.

        Returns:
            The body, in the learner's normalisation mode.
        """
        body = Body(
            net,
            self.normalisation,
            place=str(len(self.bodies)),
            second_order=self.second_order,
            vectors=self.vectors,
        )
        self.bodies.append(body)
        return body

    @property
    def inputs(self) -> Nest:
        """The inputs of the learner's net, `tf.TensorSpec`s; None without a net."""
        return None if self.body is None else self.body.inputs

    @property
    def mode(self) -> str:
        """The normalisation mode in use; "none" if no net has moving statistics."""
        modes = {body.mode.name for body in self.bodies} - {"none"}
        return self.normalisation if modes else "none"

    @property
    def statistics(self) -> list[keras.Variable]:
        """The moving statistics that training keeps, averaged over tasks."""
        return [v for b in self.bodies if b.mode.keeps for v in b.statistics]

    @property
    def random(self) -> bool:
        """Whether a net has random layers such as Dropout."""
        return any(body.random for body in self.bodies)

    @property
    def default_steps(self) -> int | None:
        """The number of inner steps outside training; None for a learner without."""
        return None

    @property
    def max_way(self) -> int | None:
        """The most classes that the learner can serve; None for any number.

        It is the net's number of outputs if the learner answers with these, else None.
        """
        return None

    @property
    def extends(self) -> bool:
        """Whether `extend` can add further examples to an adapted task."""
        return False

    def targets_for(self, y: Tensor = None) -> Targets:
        """The kind of `y`: labels or values.

        Args:
            y: The labels or targets of some examples; None if there are none at hand.

        Returns:
            The learner's `targets`, if the constructor or training has set them; else
            the kind that the dtype of `y` tells; else `Values` if the learner answers
            with its net's outputs and they are one number an example; else `Labels`.
        """
        if self.targets is not None:
            return self.targets
        if y is not None:
            return targets_of(y)
        return Values() if self.max_way == 1 else Labels()

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Learns a task from its support set; pure.

        Args:
            support: `x` a nest of `(examples, ...)`; `y` `(examples,)` int32 labels in
                `0..way-1`, or float targets `(examples, ...)`.
            options: The options of this call, see `tfmeta.Options`.

        Returns:
            Any nest of tensors that holds all that `predict` needs. The state that
            `Body.support` returned must be somewhere in it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define adapt.")

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """Answers queries; pure.

        Args:
            adapted: What `adapt` returned.
            x: A nest of tensors, `(queries, ...)` each.
            options: The options of this call.

        Returns:
            Logits `(queries, way)`, or values `(queries, ...)`, or a dict of values.
        """
        raise NotImplementedError(f"{type(self).__name__} must define predict.")

    def extend(self, adapted: Nest, support: Examples, options: Options) -> Nest:
        """Goes on from an adapted task with more examples; pure.

        Labels count the classes of the whole task: the first new class has the number
        of classes so far as its label.

        Args:
            adapted: What `adapt` returned.
            support: The further examples, of old or new classes.
            options: The options of this call.

        Returns:
            What `adapt` would return for all examples together.

        Raises:
            ValueError: If the learner cannot go on, so that `extends` is False.
        """
        raise ValueError(
            f"{type(self).__name__} learns all examples of a task together. Adapt it "
            "to all of them at once."
        )

    def closeness(self, support: Examples, x: Nest, options: Options) -> Tensor:
        """How near single support examples lie to queries; pure.

        Args:
            support: As in `adapt`.
            x: The queries, as in `predict`.
            options: The options of this call.

        Returns:
            `(queries, examples)`, larger where nearer, in the units of the logits.

        Raises:
            ValueError: If the learner compares queries with no single examples.
        """
        raise ValueError(
            f"{type(self).__name__} does not compare queries with single support "
            "examples, so it cannot tell which of them decided. ProtoNet, MatchingNet "
            "and NearestNeighbour can."
        )

    def trajectory(
        self, support: Examples, options: Options, after: Sequence[int] | None = None
    ) -> Nest:
        """The results of `adapt` after 0, 1, ... `options.steps` inner steps.

        Args:
            support: As in `adapt`.
            options: The options of this call; `steps` is the last number of steps.
            after: The numbers of steps, in 0..steps; None for all of them.

        Returns:
            The nest that `adapt` returns, each tensor with a leading axis of numbers of
            steps.

        Raises:
            ValueError: If the learner takes no inner steps (`default_steps` is None).
        """
        raise ValueError(
            f"{type(self).__name__} takes no inner steps, so it has no trajectory."
        )

    def loss(
        self, episode: Episode, options: Options
    ) -> tuple[Tensor, dict[str, Nest]]:
        """The meta-training objective of one task.

        Args:
            episode: One task's support and query sets.
            options: The options of this call, with `training` set.

        Returns:
            The mean loss over the queries plus the losses that the net's layers add, a
            scalar, and a dict. It has `predictions`, and `statistics`, the new value of
            each of the learner's `statistics` (an empty list where the mode keeps no
            moving averages).
        """
        options = options.collecting()
        adapted = self.adapt(episode.support, options)
        return self.query_loss(adapted, episode.query, options)

    def query_loss(
        self, adapted: Nest, query: Examples, options: Options
    ) -> tuple[Tensor, dict[str, Nest]]:
        """The loss of one task's queries after adaptation.

        Args:
            adapted: What `adapt` returned.
            query: The queries and their labels or targets.
            options: The options of this call, with `training` set.

        Returns:
            What `loss` returns. The losses that layers add are those that `options`
            has collected.
        """
        predictions = self.predict(adapted, query.x, options)
        loss = self.targets_for(query.y).loss(predictions, query.y)
        loss = options.collected(loss)
        statistics = self.new_statistics(adapted)
        return loss, {"predictions": predictions, "statistics": statistics}

    def new_statistics(self, adapted: Nest) -> list[Tensor]:
        """The new values of `statistics` after a task, from the states in `adapted`.

        Args:
            adapted: What `adapt` returned in training.

        Returns:
            A tensor for each of `statistics`.
        """
        keeping = [body for body in self.bodies if body.mode.keeps]
        states = states_in(adapted) if keeping else {}
        return [v for body in keeping for v in body.kept(states.get(body.State))]

    def meta_gradients(
        self, episode: Episode, options: Options
    ) -> tuple[Tensor, dict[str, Nest], list[Tensor]]:
        """The loss of one task, and the task's gradients for the outer optimizer.

        Args:
            episode: One task's support and query sets.
            options: The options of this call, with `training` set.

        Returns:
            The loss, the dict that `loss` returns, and a gradient for each of
            `trainable_variables`.
        """
        variables = [v.value for v in self.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(variables)
            loss, outputs = self.loss(episode, options)
        gradients = scaled_gradients(tape, loss, variables, options.loss_scale)
        return loss, outputs, gradients

    def answer(self, x: dict[str, Nest], *, steps: int | None = None) -> Nest:
        """Adapts to each task of a batch and answers its queries, as when served.

        Args:
            x: The inputs of a batch of episodes, see `tfmeta.core.Batch.read`; every
                tensor has a leading task axis.
            steps: The number of inner steps; None for the learner's own number.

        Returns:
            The predictions, `(tasks, queries, ...)`, with zeros for padded queries.
        """
        batch = Batch.read(x)
        support, queries = batch.episode.support, batch.episode.query.x
        rows = tf.shape(tf.nest.flatten(queries)[0])[1]

        def one(task: Nest) -> tuple[Nest, list]:
            support, queries, descriptor = task
            options = Options(steps=steps, task=descriptor)
            predictions = self.predict(self.adapt(support, options), queries, options)
            if batch.counts is not None:
                predictions = tf.nest.map_structure(
                    lambda p: padded(p, rows), predictions
                )
            return predictions, []

        counts = None
        if (sets := batch.counts) is not None:
            counts = (sets.support, sets.query.x, batch.task_counts)
        return map_tasks(one, (support, queries, batch.task), counts=counts)[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again, with the targets it has found."""
        config = super().get_config()
        if self.targets != self._first_targets:
            config["targets"] = keras.saving.serialize_keras_object(self.targets)
        return config


def _is_needed(name: str, owner: type) -> bool:
    """Whether a constructor has an argument without a default value."""
    argument = inspect.signature(owner).parameters.get(name)
    return argument is not None and argument.default is argument.empty
