"""The Keras model that meta-trains a learner."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core import (
    STRATEGIES,
    Batch,
    Targets,
    keys,
    targets_of,
)
from tfmeta.core.configured import Configured
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.problems import kind_of
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.learners import Learner
from tfmeta.serving import FarOutside, adapted_task
from tfmeta.training.keras_verbs import KerasVerbs
from tfmeta.training.step.arguments import (
    as_metrics,
    check_compile,
    check_episodes,
    metric_name,
)
from tfmeta.training.step.batch_check import unpacked
from tfmeta.training.step.outer_step import (
    loss_scale,
    take_outer_step,
    with_regularisers,
)
from tfmeta.training.step.query_scores import query_losses, real_queries
from tfmeta.training.step.task_map_choice import AUTO, choose_task_map
from tfmeta.training.step.task_sums import TaskSums, sum_over_tasks


@keras.saving.register_keras_serializable("tfmeta")
class MetaModel(Configured, KerasVerbs):
    """Maps a learner over batches of tasks and meta-trains it.

    A training step adapts to each task, takes the task's meta-gradient, averages the
    meta-gradients over tasks and hands the mean to the outer optimizer, all in one
    graph. The model works with `compile`, `fit`, `evaluate`, `predict` and Keras
    callbacks, on the datasets of `tfmeta.data.episodes`. Inputs are raw: a preparation
    makes of them what the learner's net takes, before they are mapped over.

    Args:
        learner: The learner to meta-train.
        prepare: How a raw input becomes what the net takes: a Keras layer, or the
            `prepare` of a source; it is not trained. None divides pictures (uint8
            `(height, width, 1 or 3)`) by 255 where the net takes floats, and leaves all
            else as it is.
        task_map: The strategy that maps a step over tasks, see `tfmeta.core.map_tasks`.
            "auto" times all on the first batch and keeps the fastest. It keeps "loop"
            if tasks differ in size, or if a net has random layers, which draw other
            masks when compiled.
        seed: The seed of all that is random inside a training step, such as dropout.
        **kwargs: For `keras.Model`, such as `name`.

    Attributes:
        prepare: The `Preparation` in use.

    Raises:
        ValueError: If `learner` is no learner, `prepare` is no Keras layer, or there is
            no such `task_map`.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        prepare: Any = None,
        task_map: str = AUTO,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(learner, Learner):
            raise ValueError(
                "MetaModel takes a learner, such as tfmeta.learners.ProtoNet(net). "
                f"Received: {kind_of(learner)}."
            )
        if task_map not in (AUTO, *STRATEGIES):
            raise ValueError(
                f"task_map must be one of {', '.join((AUTO, *STRATEGIES))}. "
                f"Received: {task_map!r}."
            )
        self.learner = learner
        self.prepare = as_preparation(prepare, learner.inputs)
        self._far_outside = FarOutside(self.prepare)
        self.task_map = task_map
        self.seed = seed
        self._default_metrics: Targets | None = None
        self.built = True

    @property
    def trained(self) -> list[keras.Variable]:
        """The variables that the outer optimizer moves."""
        return self.learner.trainable_variables

    @property
    def kept(self) -> dict[str, list[keras.Variable]]:
        """The variables that a checkpoint holds beside the optimizer's, by group."""
        return {"learner": self.learner.variables}

    def compile(
        self,
        optimizer: Any = "adam",
        loss: None = None,
        *,
        metrics: Any = None,
        run_eagerly: bool = False,
        **kwargs: Any,
    ) -> None:
        """Sets the outer optimizer and the metrics of the queries' predictions.

        The loss is the learner's own. XLA does not compile the whole step, only the
        work of one task, if `task_map` is "compiled".

        Args:
            optimizer: A Keras optimizer or its name.
            loss: Always None: the loss is the learner's.
            metrics: Keras metrics or their names; None for the primary metric of the
                learner's targets: "accuracy" of labels, "mse" of values.
            run_eagerly: Whether to run without a graph, for debugging.
            **kwargs: For `keras.Model.compile`.

        Raises:
            ValueError: If a loss or `jit_compile=True` is given, a metric takes one-hot
                labels or probabilities, or the learner has nothing to train.
        """
        options = check_compile({"loss": loss, **kwargs}, "the learner's own loss")
        if not self.learner.trainable_variables:
            raise ValueError(
                f"{type(self.learner).__name__} has no weights to train. Evaluate it "
                "without compile and fit."
            )
        self._compile_options = {"run_eagerly": run_eagerly, **kwargs}
        self._default_metrics = None
        if metrics is None:
            self._default_metrics = self.learner.targets_for()
            metrics = self._default_metrics.metric
        metrics = as_metrics(metrics, self.learner.targets_for())
        self._reported = ("loss", "gradient_norm", *map(metric_name, metrics))
        super().compile(
            optimizer=optimizer,
            metrics=metrics,
            run_eagerly=run_eagerly,
            **options,
        )
        if not self.optimizer.built:  # So that a saved model has all its variables.
            self.optimizer.build(self.trained)

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile` that `keras.models.load_model` needs."""
        config = super().get_compile_config()
        if config and self._default_metrics is not None:
            config["metrics"] = None
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model as `get_compile_config` tells; Keras calls this method."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def call(self, inputs: dict[str, Nest], training: bool = False) -> Nest:
        """Adapts to each task's support set and answers its queries.

        Args:
            inputs: The raw inputs of a batch of episodes, see `tfmeta.core.Batch.read`.
            training: Ignored: the learner answers as it does when served.

        Returns:
            Logits `(tasks, queries, way)` or values; zeros for padded queries.
        """
        return self.learner.answer(self.prepare.batch(inputs))

    def meta_gradients(
        self, x: dict[str, Nest], y: Tensor
    ) -> tuple[Tensor, Nest, TaskSums]:
        """The losses, the predictions and the sums of a batch of tasks.

        Args:
            x: The raw inputs of a batch, as `tfmeta.data.episodes` yields them.
            y: The labels or targets of the batch's queries.

        Returns:
            The losses `(tasks,)`, the predictions `(tasks, queries, ...)` (zeros for
            padded queries), and the `TaskSums`.
        """
        batch = Batch.read(self.prepare.batch(x), y)
        return sum_over_tasks(
            self.learner,
            batch,
            task_keys=self._task_keys(batch),
            outer_step=self.optimizer.iterations,
            loss_scale=loss_scale(self.optimizer),
            strategy="loop" if self.task_map == AUTO else self.task_map,
        )

    def _task_keys(self, batch: Batch) -> Tensor:
        """The random key of each task, by its episode's number, `(tasks, 2)` int64."""
        numbers = batch.number
        if numbers is None:
            tasks = tf.cast(batch.num_tasks, tf.int64)
            calls = tf.cast(keras_internals.calls(self.optimizer), tf.int64)
            numbers = calls * tasks + tf.range(tasks)
        return keys.key(self.seed, "task", numbers)

    def meta_step(self, data: Any) -> dict[str, Tensor]:
        """Takes one outer step on a batch of tasks.

        Args:
            data: A batch `(x, y)` of `tfmeta.data.episodes`.

        Returns:
            A dict with `task_losses` `(tasks,)`, `gradient_norm`, a scalar, and the
            running metrics.
        """
        x, y = self._unpacked(data)
        losses, predictions, sums = self.meta_gradients(x, y)
        gradients = with_regularisers(sums.mean(sums.gradients), self.trained)
        norm = take_outer_step(
            self,
            gradients,
            losses,
            numbers=x.get("episode"),
            statistics=sums.mean(sums.statistics),
        )
        logs = self._query_metrics(x, y, predictions)
        return {**logs, "gradient_norm": norm, "task_losses": losses}

    def step(self, data: Any) -> dict[str, Tensor]:
        """Takes one outer step; `Trainer` calls this method. See `meta_step`."""
        return self.meta_step(data)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Takes one outer step; `fit` calls this method. See `meta_step`."""
        logs = self.meta_step(data)
        logs.pop("task_losses")
        return logs

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Scores a batch without learning from it; `loss` is the mean over tasks."""
        x, y = self._unpacked(data)
        predictions = self(x)
        losses = query_losses(self.learner.targets_for(y), x, y, predictions)
        keras_internals.loss_tracker(self).update_state(losses)
        return self._query_metrics(x, y, predictions)

    def _unpacked(self, data: Any) -> tuple[Any, Any]:
        x, y = unpacked(data)
        check_episodes(x, y, inputs=self.learner.inputs)
        return x, y

    def find_targets(self, y: Any) -> None:
        """Sets the learner's `targets` from the dtype of `y`, if they are None.

        Args:
            y: Labels or targets, or their `tf.TensorSpec`.
        """
        if self.learner.targets is None:
            self.learner.targets = targets_of(y)
        before = self._default_metrics
        if before is not None and before != self.learner.targets:
            self.compile(self.optimizer, **self._compile_options)

    def choose_task_map(self, data: Any) -> str:
        """Times the task maps on one batch, if `task_map` is "auto"; keeps the fastest.

        Nothing is learned from the batch.

        Args:
            data: The dataset of `tfmeta.data.episodes`, or a batch `(x, y)` of it.

        Returns:
            The choice, which is also the new `task_map`.
        """
        if self.task_map == AUTO:
            self.task_map = choose_task_map(self, data)
        return self.task_map

    def adapt(self, support_x: Any = None, support_y: Any = None) -> Any:
        """Learns one task from plain arrays.

        If the learner's `targets` are None, the first `support_y` decides them: floats
        are values, all others are labels.

        Args:
            support_x: Raw inputs, `(examples, ...)`, or a dict or tuple of such arrays.
                None for a learner that does not adapt, such as `Supervised`.
            support_y: `(examples,)` names or whole numbers of classes; or values
                `(examples, ...)`. None where `support_x` is None.

        Returns:
            An `AdaptedClassifier` or an `AdaptedRegressor`.

        Raises:
            ValueError: If the arrays do not fit each other or the learner.

        Warns:
            UserWarning: If inputs are far outside the range of meta-training, here or
                in the answers to queries; once for each model.
        """
        return adapted_task(
            self.learner,
            support_x,
            support_y,
            prepare=self.prepare,
            far_outside=self._far_outside,
        )

    def _query_metrics(
        self, x: dict[str, Nest], y: Tensor, predictions: Nest
    ) -> dict[str, Tensor]:
        """The running metrics, updated by the queries that are no padding."""
        predictions = self.learner.targets_for(y).point(predictions)
        return self.compute_metrics(x, *real_queries(x, y, predictions))
