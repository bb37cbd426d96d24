"""The Keras model that meta-trains a learner."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.core import STRATEGIES, Episode, map_tasks, padded
from tfmeta.core.episode import Nest, Tensor
from tfmeta.learners import Learner
from tfmeta.ops import task_loss
from tfmeta.training.adapted_classifier import AdaptedClassifier

AUTO = "auto"
_TIMED_STEPS = 3


@keras.saving.register_keras_serializable("tfmeta")
class MetaModel(keras.Model):
    """Maps a learner over batches of tasks and meta-trains it.

    One training step adapts to each task, takes its meta-gradient, averages over
    tasks and hands the mean to the outer optimizer, all in one compiled graph. It
    works with `compile`, `fit`, `evaluate`, `predict` and Keras callbacks, on the
    datasets of `tfmeta.data.episodes`.

    Args:
        learner: The method.
        task_map: How a step goes through its tasks, see `tfmeta.core.map_tasks`; or
            "auto", which times the ways once, on the first batch, and keeps the
            fastest ("loop" where tasks differ in size).
        seed: Of what is random inside a training step, such as dropout.
        **kwargs: For `keras.Model`, such as `name`.

    Raises:
        ValueError: If `learner` is no learner or `task_map` has no such name.
    """

    def __init__(
        self, learner: Learner, *, task_map: str = AUTO, seed: int = 0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if not isinstance(learner, Learner):
            raise ValueError(
                "MetaModel takes a learner, such as tfmeta.learners.ProtoNet(net). "
                f"Received: {type(learner).__name__}."
            )
        if task_map not in (AUTO, *STRATEGIES):
            raise ValueError(
                f"task_map must be one of {', '.join((AUTO, *STRATEGIES))}. "
                f"Received: {task_map!r}."
            )
        self.learner = learner
        self.task_map = task_map
        self.seed = seed
        self.built = True

    @property
    def trained(self) -> list[keras.Variable]:
        """What the outer optimizer moves."""
        return self.learner.trainable_variables

    @property
    def kept(self) -> dict[str, list[keras.Variable]]:
        """What a checkpoint holds, the optimizer's part aside, by group."""
        return {"learner": self.learner.variables}

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        metrics: Any = ("accuracy",),
        run_eagerly: bool = False,
        **kwargs: Any,
    ) -> None:
        """Sets the outer optimizer and the metrics of the queries' predictions.

        The loss is the learner's own. Whole-step XLA is off: `task_map` says what is
        compiled.

        Args:
            optimizer: A Keras optimizer or its name.
            metrics: Keras metrics or their names; `["mse"]` for float targets.
            run_eagerly: Whether to run without a graph, for debugging.
            **kwargs: For `keras.Model.compile`.

        Raises:
            ValueError: If a loss is given, or the learner has nothing to train.
        """
        if kwargs.pop("loss", None) is not None:
            raise ValueError(
                "The loss is the learner's own, so compile takes none. Leave `loss` "
                "out."
            )
        if not self.learner.trainable_variables:
            raise ValueError(
                f"{type(self.learner).__name__} has no weights to train. Evaluate it "
                "without compile and fit."
            )
        super().compile(
            optimizer=optimizer,
            metrics=list(metrics),
            run_eagerly=run_eagerly,
            jit_compile=False,
            **kwargs,
        )

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Adapts to each task's support set and answers its queries.

        Args:
            inputs: `support_x`, `support_y`, `query_x`, each `(tasks, examples, ...)`;
                where tasks differ in size, also `support_count` and `query_count`.
            training: Ignored: the learner answers as it does when served.

        Returns:
            Logits `(tasks, queries, way)`, or values; zeros for padding.
        """
        episode, counts = Episode.from_batch(inputs, None), Episode.counts(inputs)
        if counts is not None:
            return self._answers(episode, counts)
        adapted = self.learner.adapt_many(episode.support)
        return self.learner.predict_many(adapted, episode.query.x)

    def meta_gradients(
        self, episode: Episode, counts: Episode | None = None
    ) -> tuple[Tensor, Nest, list[Tensor]]:
        """The batch's losses, outputs and mean meta-gradient.

        Args:
            episode: A batch; every tensor has a leading task axis.
            counts: Where tasks are padded to one size, what `Episode.counts` read.

        Returns:
            The losses `(tasks,)`; the outputs: `predictions` `(tasks, queries, way)`
            and `state`, the mean over tasks of the net's new moving statistics; and
            the mean gradient, a tensor for each of the learner's trainable variables.
        """
        num_tasks = tf.shape(episode.query.y)[0]
        first = tf.cast(self.optimizer.iterations, tf.int64) * tf.cast(
            num_tasks, tf.int64
        )
        seeds = self.seed + first + tf.range(tf.cast(num_tasks, tf.int64))

        variables = self.learner.variables
        values = [tf.convert_to_tensor(v.value) for v in variables]
        finish = _finish(episode.query.x, counts)

        def one(task, values):
            episode, seed = task
            bound = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=bound):
                loss, outputs, gradients = self.learner.meta_gradients(
                    episode, seed=seed
                )
            predictions = finish(outputs["predictions"])
            return (loss, predictions), (gradients, outputs["state"])

        strategy = "loop" if self.task_map == AUTO else self.task_map
        (losses, predictions), sums = map_tasks(
            one,
            (episode, seeds),
            shared=values,
            strategy=strategy,
            counts=None if counts is None else (counts, None),
        )
        gradients, state = tf.nest.map_structure(
            lambda total: total / tf.cast(num_tasks, total.dtype), sums
        )
        return losses, {"predictions": predictions, "state": state}, gradients

    def meta_step(self, data: Any) -> dict[str, Tensor]:
        """One outer step on a batch of tasks.

        Args:
            data: `(x, y)` as `tfmeta.data.episodes` yields.

        Returns:
            `task_losses` `(tasks,)`, `gradient_norm`, and the running metrics.
        """
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        episode, counts = Episode.from_batch(x, y), Episode.counts(x)
        losses, outputs, gradients = self.meta_gradients(episode, counts)
        gradients = self._with_regularisers(gradients)
        self.optimizer.apply(gradients, self.learner.trainable_variables)
        self._assign_state(outputs["state"])
        self._loss_tracker.update_state(losses)
        logs = self._query_metrics(x, y, outputs["predictions"], counts)
        norm = tf.linalg.global_norm(gradients)
        return {**logs, "gradient_norm": norm, "task_losses": losses}

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One outer step, as `fit` wants it; see `meta_step`."""
        logs = self.meta_step(data)
        logs.pop("task_losses")
        return logs

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Scores a batch without learning from it; `loss` is the queries' mean."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        predictions, counts = self(x), Episode.counts(x)
        if counts is None:
            losses = task_loss(predictions, y)
        else:
            losses, _ = map_tasks(
                lambda task: (task_loss(*task), []),
                (predictions, y),
                counts=(counts.query.y, counts.query.y),
            )
        self._loss_tracker.update_state(losses)
        return self._query_metrics(x, y, predictions, counts)

    def fit(self, x: Any = None, **kwargs: Any) -> keras.callbacks.History:
        """Meta-trains; as `keras.Model.fit`, on a dataset of episodes.

        Args:
            x: What `tfmeta.data.episodes` returned.
            **kwargs: For `keras.Model.fit`: `steps_per_epoch`, `epochs`,
                `validation_data`, `callbacks`, ...

        Returns:
            The history.
        """
        if isinstance(x, tf.data.Dataset):
            self.choose_task_map(x)
        kwargs.setdefault("shuffle", False)
        return super().fit(x, **kwargs)

    def choose_task_map(self, data: Any) -> str:
        """Times the task maps on one batch, if it is "auto", and keeps the fastest.

        Nothing is learned from the batch. A way that cannot be compiled for this
        learner is passed over; where tasks differ in size none is compiled, as that
        would be done anew for each size.

        Args:
            data: What `tfmeta.data.episodes` returned, or a batch `(x, y)` of it.

        Returns:
            The choice, which is now `task_map`.
        """
        if self.task_map != AUTO:
            return self.task_map
        stream = isinstance(data, tf.data.Dataset)
        if not _of_one_size((data.element_spec if stream else data)[0]):
            self.task_map = "loop"
        else:
            data = next(iter(data)) if stream else data
            seconds = {name: self._seconds(name, data) for name in STRATEGIES}
            self.task_map = min(seconds, key=seconds.__getitem__)
        return self.task_map

    def _seconds(self, strategy: str, data: Any) -> float:
        episode = Episode.from_batch(*keras.utils.unpack_x_y_sample_weight(data)[:2])
        self.task_map = strategy
        try:
            step = tf.function(self.meta_gradients, autograph=False)
            tf.nest.map_structure(np.asarray, step(episode))
            times = []
            for _ in range(_TIMED_STEPS):
                start = time.perf_counter()
                tf.nest.map_structure(np.asarray, step(episode))
                times.append(time.perf_counter() - start)
            return min(times)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return float("inf")
        finally:
            self.task_map = AUTO

    def adapt(self, support_x: Any, support_y: Any) -> AdaptedClassifier:
        """Learns one task from plain arrays.

        Args:
            support_x: `(examples, ...)`; uint8 images are scaled to 0..1.
            support_y: `(examples,)` class names or numbers, any of them.

        Returns:
            A classifier that answers with those names.

        Raises:
            ValueError: If the arrays do not fit each other or the learner.
        """
        return AdaptedClassifier(self.learner, support_x, support_y)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this model again."""
        return {
            "learner": keras.saving.serialize_keras_object(self.learner),
            "task_map": self.task_map,
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MetaModel:
        """Makes a model from what `get_config` returned."""
        learner = keras.saving.deserialize_keras_object(config["learner"])
        return cls(**{**config, "learner": learner})

    def _answers(self, episode: Episode, counts: Episode) -> Tensor:
        """Answers the queries of padded tasks."""
        finish = _finish(episode.query.x, counts)

        def one(task):
            support, x = task
            return finish(self.learner.predict(self.learner.adapt(support), x)), []

        predictions, _ = map_tasks(
            one,
            (episode.support, episode.query.x),
            counts=(counts.support, counts.query.x),
        )
        return predictions

    def _query_metrics(
        self, x: Any, y: Tensor, predictions: Tensor, counts: Episode | None
    ) -> dict[str, Tensor]:
        """The running metrics, updated by real queries."""
        if counts is not None:
            real = tf.sequence_mask(counts.query.y, tf.shape(y)[1])
            y, predictions = (tf.boolean_mask(t, real) for t in (y, predictions))
        return self.compute_metrics(x, y, predictions)

    def _with_regularisers(self, gradients: list[Tensor]) -> list[Tensor]:
        """Adds the gradients of the weights' regularisers, once a step."""
        with tf.GradientTape() as tape:
            penalties = self.learner.losses
            total = tf.add_n(penalties) if penalties else None
        if total is None:
            return gradients
        extra = tape.gradient(
            total,
            [v.value for v in self.learner.trainable_variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return [g + e for g, e in zip(gradients, extra, strict=True)]

    def _assign_state(self, state: list[Tensor]) -> None:
        if state:
            for variable, value in zip(self.learner.statistics, state, strict=True):
                variable.assign(value)


def _finish(query_x: Tensor, counts: Episode | None) -> Callable[[Tensor], Tensor]:
    """What is done to a task's predictions so that those of all tasks stack."""
    if counts is None:
        return lambda predictions: predictions
    rows = query_x.shape[1] or tf.shape(query_x)[1]
    return lambda predictions: padded(predictions, rows)


def _of_one_size(x: dict[str, Any]) -> bool:
    """Whether all tasks have one shape."""
    return "support_count" not in x and all(None not in t.shape[1:] for t in x.values())
