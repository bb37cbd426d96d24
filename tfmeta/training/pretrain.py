"""Training a net on all meta-train tasks together, without episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Tensor
from tfmeta.data import FunctionSplit, Part, Split
from tfmeta.data.examples import examples
from tfmeta.learners import FineTune, Learner


@dataclass(frozen=True)
class ExampleStream:
    """Single examples in place of episodes, for `Trainer`.

    Attributes:
        count: Examples in a step.
    """

    count: int

    def check(self, part: Part, learner: Learner, *, seed: int = 0) -> None:
        """Refuses steps without examples; what a learner cannot serve, its validation.

        Raises:
            ValueError: If so.
        """
        if self.count < 1:
            raise ValueError(f"A stream's count must be at least 1. Got: {self.count}.")

    def episodes(
        self, part: Any, *, seed: int, start: int = 0, augment: Any = None
    ) -> tf.data.Dataset:
        """The batches of `count` examples from example `start` on, without end."""
        return examples(
            part,
            batch_size=self.count,
            seed=seed,
            start=start // self.count,
            augment=augment,
        )


class PretrainModel(keras.Model):
    """Trains the net of a learner on all tasks as if they were one.

    For classes it puts a linear layer of as many outputs as there are classes on the
    net. The layer is left behind: `learner` has the net alone. For functions the net's
    own outputs learn the values. It goes through `fit` on `tfmeta.data.examples`, and
    through `tfmeta.training.Trainer`.

    Args:
        learner: A learner around the net to train, such as `FineTune(net)`.
        classes: How many classes; None for functions.
        seed: Of the linear layer's first weights.
        **kwargs: For `keras.Model`, such as `name`.
    """

    def __init__(
        self, learner: Learner, classes: int | None, *, seed: int = 0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.learner = learner
        self.task_map = "loop"  # There are no tasks to map over.
        self.classifier: Any = keras.layers.Identity()
        if classes is not None:
            self.classifier = keras.layers.Dense(
                classes,
                kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
                name="classifier",
            )
        self.classifier.build(learner.net.output_shape)
        self.built = True

    @property
    def trained(self) -> list[keras.Variable]:
        """What the optimizer moves: the net's weights and the classifier's."""
        return [
            *self.learner.net.trainable_variables,
            *self.classifier.trainable_variables,
        ]

    @property
    def kept(self) -> dict[str, list[keras.Variable]]:
        """What a checkpoint holds, the optimizer's part aside, by group."""
        return {
            "learner": self.learner.variables,
            "classifier": self.classifier.variables,
        }

    def choose_task_map(self, data: Any) -> str:
        """Has no choice; see `MetaModel.choose_task_map`."""
        return self.task_map

    def compile(
        self, optimizer: Any = "adam", *, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Sets the optimizer and the metrics.

        The loss is cross-entropy, of functions the mean squared error.
        """
        loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if not self.classifier.weights:
            loss = keras.losses.MeanSquaredError()
        if metrics is None:
            metrics = ["accuracy" if self.classifier.weights else "mse"]
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=list(metrics),
            jit_compile=False,
            **kwargs,
        )

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Logits `(examples, classes)`, or values, of examples `(examples, ...)`."""
        return self.classifier(self.learner.net(inputs, training=training))

    def meta_step(self, data: Any) -> dict[str, Tensor]:
        """One step on a batch of examples.

        Args:
            data: `(x, y)` as `tfmeta.data.examples` yields.

        Returns:
            `task_losses` `(1,)`, the mean loss; `gradient_norm`; the running metrics.
        """
        x, y = data
        variables = self.trained
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            loss = self.compute_loss(x, y, logits)
        gradients = tape.gradient(loss, [v.value for v in variables])
        self.optimizer.apply(gradients, variables)
        self._loss_tracker.update_state(loss)
        logs = self.compute_metrics(x, y, logits)
        norm = tf.linalg.global_norm(gradients)
        return {**logs, "gradient_norm": norm, "task_losses": loss[None]}

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One step, as `fit` wants it; see `meta_step`."""
        logs = self.meta_step(data)
        logs.pop("task_losses")
        return logs


def pretrain(
    net: keras.Model,
    split: Split | FunctionSplit,
    *,
    steps: int = 5000,
    batch_size: int = 64,
    optimizer: Any = "adam",
    seed: int = 0,
    augment: Any = None,
    **kwargs: Any,
) -> keras.callbacks.History:
    """Trains a net to tell all classes of a split apart, with plain `fit`.

    Of functions it learns the values, of all functions alike.

    `FineTune` and `LinearProbe` take the net afterwards: the baselines of transfer
    learning that a meta-learner is compared with.

    Args:
        net: A built Keras net that embeds, `(examples, ...)` to
            `(examples, features)`; for functions, one whose outputs are values. It is
            trained in place.
        split: Such as `data.train`.
        steps: Optimizer steps.
        batch_size: Examples in a step.
        optimizer: A Keras optimizer or its name.
        seed: Of the batches and of the classifier's first weights.
        augment: A Keras preprocessing layer of images, or None.
        **kwargs: For `keras.Model.fit`: `callbacks`, `verbose`, ...

    Returns:
        The history.

    Raises:
        ValueError: If a number is below 1, or a net for functions has not one output.
    """
    if not split.class_names and net.output_shape[-1] != 1:
        raise ValueError(
            "A net that shall learn the values of functions needs one output. "
            f"Received: a net of {net.output_shape[-1]}. Give it a linear layer of one "
            "unit."
        )
    if steps < 1:
        raise ValueError(f"steps must be at least 1. Received: {steps}.")
    classes = len(split.class_names) or None
    model = PretrainModel(FineTune(net), classes, seed=seed)
    model.compile(optimizer)
    batches = examples(split, batch_size=batch_size, seed=seed, augment=augment)
    kwargs.setdefault("shuffle", False)
    return model.fit(batches, steps_per_epoch=steps, epochs=1, **kwargs)
