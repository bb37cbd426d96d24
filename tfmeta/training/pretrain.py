"""Training a net on all meta-train tasks together, without episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Labels, Targets, Values, keys
from tfmeta.core.episode import Tensor
from tfmeta.core.renamed import renamed_arguments
from tfmeta.core.scaled_gradients import scaled_gradients
from tfmeta.data import Part
from tfmeta.data.part import check_part
from tfmeta.data.pipeline.examples import examples
from tfmeta.data.prepare.fits import checked
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.evaluation.frozen import whole
from tfmeta.inner.body import at_least_float32
from tfmeta.learners import FineTune, Learner
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
    """

    examples: int
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
        )


class PretrainModel(keras.Model):
    """Trains the net of a learner on all tasks as if they were one.

    For labels the model puts a linear layer with one output for each class on a net
    that embeds. This layer is dropped in the end: `learner` has only the net. A net
    that ends in a head, as the learner's `headed` tells, learns with its own outputs.
    Train the model by `fit` on `tfmeta.data.examples`, or by
    `tfmeta.training.Trainer`.

    Args:
        learner: A learner around the net to train, such as `FineTune(net)`.
        classes: The number of classes; None for values.
        prepare: How a raw input becomes what the net takes; see `MetaModel`.
        seed: The seed of the linear layer's first weights.
        **kwargs: For `keras.Model`, such as `name`.
    """

    def __init__(
        self,
        learner: Learner,
        classes: int | None,
        *,
        prepare: Any = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.learner = learner
        self.prepare = as_preparation(prepare, learner.inputs)
        self.task_map = "loop"  # There are no tasks to map over.
        self.targets: Targets = Values() if classes is None else Labels()
        self.classifier: Any = keras.layers.Identity()
        if not isinstance(self.targets, learner.headed):
            self.classifier = keras.layers.Dense(
                classes,
                kernel_initializer=keras.initializers.GlorotUniform(
                    keys.integer(seed, "weights/classifier")
                ),
                name="classifier",
            )
        self.classifier.build((None, learner.body.features))
        self.built = True

    @property
    def trained(self) -> list[keras.Variable]:
        """The variables that the optimizer moves: the net's and the classifier's."""
        return [
            *self.learner.net.trainable_variables,
            *self.classifier.trainable_variables,
        ]

    @property
    def kept(self) -> dict[str, list[keras.Variable]]:
        """The variables that a checkpoint holds beside the optimizer's, by group."""
        return {
            "learner": self.learner.variables,
            "classifier": self.classifier.variables,
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
        """Sets the optimizer and the metrics; the loss is that of the targets."""
        metrics = self.targets.metric if metrics is None else metrics
        super().compile(
            optimizer=optimizer,
            metrics=as_metrics(metrics, self.targets),
            **check_compile({"loss": loss, **kwargs}, "the loss of its targets"),
        )

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Logits `(examples, classes)`, or values, of raw `(examples, ...)`."""
        z = self.learner.net(self.prepare(inputs), training=training)
        outputs = self.classifier(z)
        return tf.cast(outputs, at_least_float32(outputs.dtype))

    def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs) -> Tensor:
        """The targets' loss plus all that layers and regularisers add."""
        loss = self.targets.loss(y_pred, y)
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
    model = PretrainModel(learner, classes, prepare=split.prepare, seed=seed)
    batches = examples(split, batch_size=batch_size, seed=seed, augment=augment)
    values = batches.element_spec[1].shape[1:]
    if not labels and not model.learner.body.outputs.shape[1:].is_compatible_with(
        values
    ):
        raise ValueError(
            f"The net's outputs must have the shape of a value, {tuple(values)}. "
            "Received: outputs of shape "
            f"{tuple(model.learner.body.outputs.shape[1:])}. End the net with a linear "
            f"layer whose outputs have the shape {tuple(values)}."
        )
    model.check_batch(next(iter(batches)))
    model.compile(optimizer)
    kwargs.setdefault("shuffle", False)
    with finite_steps():
        return model.fit(batches, steps_per_epoch=steps, epochs=1, **kwargs)
