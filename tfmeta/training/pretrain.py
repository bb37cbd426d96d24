"""Training a net on all meta-train tasks together, without episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Labels, Targets, Values
from tfmeta.core.episode import Tensor
from tfmeta.core.renamed import renamed_arguments
from tfmeta.core.scaled_gradients import scaled_gradients
from tfmeta.data import Part
from tfmeta.data.part import check_part
from tfmeta.data.pipeline.examples import examples
from tfmeta.data.prepare.fits import checked
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.evaluation.frozen import whole
from tfmeta.learners import FineTune, Learner
from tfmeta.training.objectives import Classify, Objective
from tfmeta.training.step.arguments import as_metrics, check_compile
from tfmeta.training.step.batch_check import unpacked
from tfmeta.training.step.outer_step import finite_steps, loss_scale, take_outer_step


@renamed_arguments(count="examples")
@dataclass(frozen=True)
class ExampleStream:
    """A stream of single examples, on which `Trainer` can train.

    As a validation, for a learner that does not adapt, it is all examples of the part.

    Attributes:
        examples: The number of examples in a step.
        views: How many times a step has each of them, see `tfmeta.data.examples`.
    """

    examples: int
    views: int = 1
    unit = "examples"

    @property
    def per_step(self) -> int:
        """The number of draws in a step, which are its examples."""
        return self.examples

    def check(
        self, part: Part, learner: Learner, *, prepare: Any = None, seed: int = 0
    ) -> None:
        """Refuses steps without examples; the arguments are those of `Stream.check`.

        Whether a learner that adapts fits the tasks is checked by the validation's
        `Stream`.

        Raises:
            ValueError: If `examples` is below 1, or if a learner that does not adapt
                has other classes than the part.
        """
        if self.examples < 1:
            raise ValueError(
                f"A stream's examples must be at least 1. Received: {self.examples}."
            )
        if not learner.adapts:
            whole(learner, part)

    def asked(self) -> dict[str, Any]:
        """What `tfmeta.evaluate` is told of episodes: nothing, as there are none."""
        return {}

    def episodes(
        self, part: Any, *, seed: int, start: int = 0, augment: Any = None
    ) -> tf.data.Dataset:
        """An endless dataset of batches of examples, from example number `start` on."""
        return examples(
            part,
            batch_size=self.examples,
            seed=seed,
            start=start // self.examples,
            augment=augment,
            views=self.views,
        )


class PretrainModel(keras.Model):
    """Trains the net of a learner on all tasks as if they were one.

    The net learns by an objective, whose own layers are dropped in the end: `learner`
    has only the net. Train the model by `fit` on `tfmeta.data.examples`, or by
    `tfmeta.training.Trainer`.

    Args:
        learner: A learner around the net to train, such as `FineTune(net)`.
        classes: The number of classes; None for values.
        objective: What the net learns: `Classify()`, `Reconstruct()`, `Contrast()` or
            an `Objective` of one's own; None for `Classify()`.
        prepare: How a raw input becomes what the net takes; see `MetaModel`.
        seed: The seed of the first weights of the objective's own layers.
        **kwargs: For `keras.Model`, such as `name`.
    """

    def __init__(
        self,
        learner: Learner,
        classes: int | None,
        *,
        objective: Objective | None = None,
        prepare: Any = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.learner = learner
        self.prepare = as_preparation(prepare, learner.inputs)
        self.task_map = "loop"  # There are no tasks to map over.
        self.targets: Targets = Values() if classes is None else Labels()
        self.objective = Classify() if objective is None else objective
        self.objective.prepare_for(learner, classes, seed)
        self.built = True

    @property
    def trained(self) -> list[keras.Variable]:
        """The variables that the optimizer moves: the net's and the objective's."""
        return [
            *self.learner.net.trainable_variables,
            *self.objective.trainable_variables,
        ]

    @property
    def kept(self) -> dict[str, list[keras.Variable]]:
        """The variables that a checkpoint holds beside the optimizer's, by group."""
        return {
            "learner": self.learner.variables,
            "objective": self.objective.variables,
        }

    def choose_task_map(self, data: Any) -> str:
        """Returns "loop", without a choice; see `MetaModel.choose_task_map`."""
        return self.task_map

    def check_batch(self, data: Any) -> None:
        """Refuses examples that the net cannot take; see `MetaModel.check_batch`."""
        checked(self.prepare, unpacked(data)[0], self.learner.inputs)

    def compile(
        self,
        optimizer: Any = "adam",
        loss: None = None,
        *,
        metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizer and the metrics; the loss is that of the objective."""
        if metrics is None:
            metrics = self.targets.metric if self.objective.labelled else []
        super().compile(
            optimizer=optimizer,
            metrics=as_metrics(metrics, self.targets),
            **check_compile({"loss": loss, **kwargs}, "the loss of its objective"),
        )

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """What the objective makes of raw `(examples, ...)`, such as logits."""
        z = self.learner.net(self.prepare(inputs), training=training)
        return self.objective(z)

    def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs) -> Tensor:
        """The objective's loss plus all that layers and regularisers add."""
        loss = self.objective.loss(y_pred, self.prepare(x), y)
        return tf.add_n([loss, *(tf.cast(each, loss.dtype) for each in self.losses)])

    def step(self, data: Any) -> dict[str, Tensor]:
        """Takes one step on a batch of examples.

        Args:
            data: A batch `(x, y)` of `tfmeta.data.examples`.

        Returns:
            A dict with `task_losses` `(1,)`, which is the mean loss, `gradient_norm`, a
            scalar, and the running metrics.
        """
        x, y = unpacked(data)
        variables, scale = self.trained, loss_scale(self.optimizer)
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            loss = self.compute_loss(x, y, logits)
        values = [v.value for v in variables]
        gradients = scaled_gradients(tape, loss, values, scale)
        norm = take_outer_step(self, gradients, loss)
        logs = self.compute_metrics(x, y, logits)
        return {**logs, "gradient_norm": norm, "task_losses": loss[None]}

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Takes one step; `fit` calls this method. See `step`."""
        logs = self.step(data)
        logs.pop("task_losses")
        return logs


def pretrain(
    net: keras.Model | Learner,
    split: Any,
    *,
    steps: int = 5000,
    batch_size: int = 64,
    optimizer: Any = "adam",
    seed: int = 0,
    augment: Any = None,
    objective: Objective | None = None,
    **kwargs: Any,
) -> keras.callbacks.History:
    """Trains a net to tell all classes of a split apart, with plain `fit`.

    If the tasks have values, the net learns to predict the values of all tasks alike.
    Then give the net to `FineTune` or `LinearProbe`, the baselines of transfer learning
    that a meta-learner is compared with. Examples are prepared as the part's `prepare`
    tells.

    Args:
        net: A built Keras net that embeds, `(examples, ...)` to
            `(examples, features)`; for values, a net whose outputs are values. The net
            is trained in place. Or a learner around such a net; around a net that is a
            classifier, `Supervised(net)`.
        split: The part whose examples are learned, such as `data.train`.
        steps: The number of optimizer steps.
        batch_size: The number of examples in a step.
        optimizer: A Keras optimizer or its name.
        seed: The seed of the batches and of the classifier's first weights.
        augment: A Keras preprocessing layer of images, or None.
        objective: What the net learns; None for `Classify()`, see
            `tfmeta.training.objectives`. The others need no labels.
        **kwargs: For `keras.Model.fit`: `callbacks`, `verbose`, ...

    Returns:
        The history.

    Raises:
        ValueError: If a number is below 1, the net's outputs do not fit the values, the
            net cannot take the prepared examples, or `class_weight` is given.
    """
    check_part(split)
    if steps < 1:
        raise ValueError(f"steps must be at least 1. Received: {steps}.")
    labels = isinstance(split.targets, Labels)
    classes = len(split.class_names) if labels else None
    learner = net if isinstance(net, Learner) else FineTune(net)
    ExampleStream(batch_size).check(split, learner)
    model = PretrainModel(
        learner, classes, objective=objective, prepare=split.prepare, seed=seed
    )
    batches = examples(
        split,
        batch_size=batch_size,
        seed=seed,
        augment=augment,
        views=model.objective.views,
    )
    if not labels:
        _check_outputs(learner, batches.element_spec[1].shape[1:])
    model.check_batch(next(iter(batches)))
    model.compile(optimizer)
    kwargs.setdefault("shuffle", False)
    with finite_steps():
        return model.fit(batches, steps_per_epoch=steps, epochs=1, **kwargs)


def _check_outputs(learner: Learner, values: tf.TensorShape) -> None:
    """Refuses a net whose outputs do not have the shape of the values."""
    outputs = learner.body.outputs.shape[1:]
    if not outputs.is_compatible_with(values):
        raise ValueError(
            f"The net's outputs must have the shape of a value, {tuple(values)}. "
            f"Received: outputs of shape {tuple(outputs)}. End the net with a linear "
            f"layer whose outputs have the shape {tuple(values)}."
        )
