"""The kinds of `y`, labels of classes or values, with their losses and metrics."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor


class Targets(abc.ABC):
    """The kind of a task's `y`, with its loss, metrics and served outputs; abstract.

    Attributes:
        name: The text that stands for the class where an argument `targets` is text.
        metric: The name of the primary metric, by which learners are judged.
        higher_is_better: Whether a higher value of the primary metric is better.
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    higher_is_better: ClassVar[bool]

    @abc.abstractmethod
    def loss(self, predictions: Nest, y: Tensor) -> Tensor:
        """The mean loss over one task's examples, a scalar.

        Args:
            predictions: What `Learner.predict` returned, `(examples, ...)`.
            y: The labels or values of the examples, `(examples, ...)`.

        Raises:
            ValueError: If `y` does not fit the predictions.
        """

    @abc.abstractmethod
    def metrics(self, predictions: Nest, y: Tensor) -> dict[str, Tensor]:
        """The metrics of one task's queries, each a float32 scalar, by name.

        Args:
            predictions: What `Learner.predict` returned, `(queries, ...)`.
            y: The labels or values of the queries, `(queries, ...)`.
        """

    @abc.abstractmethod
    def outputs(self, predictions: Nest) -> dict[str, Tensor]:
        """The tensors of a served answer by name, float32 or int32.

        Args:
            predictions: What `Learner.predict` returned, `(queries, ...)`.
        """

    def point(self, predictions: Nest) -> Tensor:
        """The predictions that Keras metrics compare with `y`.

        Args:
            predictions: A tensor, which is returned, or a dict, whose entry "mean" is
                returned.
        """
        return predictions["mean"] if isinstance(predictions, dict) else predictions

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor: none."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Targets:
        """Makes an object from what `get_config` returned."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@keras.saving.register_keras_serializable("tfmeta")
class Labels(Targets):
    """`y` holds the numbers of classes, int32 `(examples,)`; predictions are logits.

    The logits are `(examples, way)`. The loss is the mean softmax cross-entropy in
    nats. The primary metric is "accuracy", in 0..1; "nll" is the negative
    log-likelihood of the true class, in nats, averaged over the queries. A served
    answer has `probabilities` `(queries, way)` and `labels` `(queries,)`.
    """

    name = "labels"
    metric = "accuracy"
    higher_is_better = True

    def loss(self, predictions: Nest, y: Tensor) -> Tensor:
        """The mean cross-entropy; see `Targets.loss`."""
        return tf.reduce_mean(_cross_entropies(self.point(predictions), y))

    def metrics(self, predictions: Nest, y: Tensor) -> dict[str, Tensor]:
        """Accuracy and nll; see `Targets.metrics`. Both are NaN if a logit is NaN."""
        logits = self.point(predictions)
        nll = tf.reduce_mean(_cross_entropies(logits, y))
        return {
            "accuracy": tf.reduce_mean(correct(logits, y)),
            "nll": tf.cast(nll, tf.float32),
        }

    def outputs(self, predictions: Nest) -> dict[str, Tensor]:
        """Probabilities, 0 for an absent class, and the likeliest label."""
        probabilities = tf.cast(tf.nn.softmax(self.point(predictions)), tf.float32)
        labels = tf.argmax(probabilities, -1, output_type=tf.int32)
        return {"probabilities": probabilities, "labels": labels}


@keras.saving.register_keras_serializable("tfmeta")
class Values(Targets):
    """`y` holds numbers, `(examples, ...)`; predictions have the same shape.

    The loss is the mean squared error. The primary metric is "mse", in target units
    squared; "mae" is the mean absolute error, in target units. A prediction may be a
    dict, such as a mean and a deviation: its entry "mean" is compared with `y`. A
    served answer has `values` `(queries, ...)`, or the entries of the dict.
    """

    name = "values"
    metric = "mse"
    higher_is_better = False

    def loss(self, predictions: Nest, y: Tensor) -> Tensor:
        """The mean squared error; see `Targets.loss`."""
        return tf.reduce_mean(tf.square(self._errors(predictions, y)))

    def metrics(self, predictions: Nest, y: Tensor) -> dict[str, Tensor]:
        """The mean squared and the mean absolute error; see `Targets.metrics`."""
        errors = tf.cast(self._errors(predictions, y), tf.float32)
        return {
            "mse": tf.reduce_mean(tf.square(errors)),
            "mae": tf.reduce_mean(tf.abs(errors)),
        }

    def outputs(self, predictions: Nest) -> dict[str, Tensor]:
        """`values`, or the entries of a dict, in float32; see `Targets.outputs`."""
        if not isinstance(predictions, dict):
            predictions = {"values": predictions}
        return {name: tf.cast(p, tf.float32) for name, p in predictions.items()}

    def _errors(self, predictions: Nest, y: Tensor) -> Tensor:
        point = self.point(predictions)
        # Unequal shapes could broadcast: the loss would be wrong, without an error.
        if not point.shape.is_compatible_with(y.shape):
            raise ValueError(
                "Float targets must have the shape of the predictions. Received: "
                f"targets {y.shape}, predictions {point.shape}. Reshape the targets, "
                "or give the net as many outputs; labels must be integers."
            )
        return point - tf.cast(y, point.dtype)


def targets_of(y: Tensor) -> Targets:
    """The kind of `y` by its dtype: `Values` for floats, `Labels` for all others."""
    return Values() if tf.as_dtype(y.dtype).is_floating else Labels()


def as_targets(targets: Targets | str | None) -> Targets | None:
    """Reads the argument `targets` of a constructor.

    Args:
        targets: "labels", "values", an instance, or None if it is not known yet.

    Returns:
        The instance, or None.

    Raises:
        ValueError: If `targets` is none of these.
    """
    known = {kind.name: kind for kind in (Labels, Values)}
    if targets is None or isinstance(targets, Targets):
        return targets
    if isinstance(targets, str) and targets in known:
        return known[targets]()
    raise ValueError(
        f"targets must be one of {', '.join(known)}, or an instance of "
        f"tfmeta.core.Targets. Received: {targets!r}."
    )


def correct(logits: Tensor, y: Tensor) -> Tensor:
    """Whether the largest logit is the label's, as 0.0 or 1.0.

    Args:
        logits: `(..., way)`.
        y: `(...)` integer labels.

    Returns:
        `(...)` float32; NaN where a logit is NaN, so that a learner that diverged is
        never counted as right.
    """
    guess = tf.argmax(logits, -1, output_type=tf.int32)
    right = tf.cast(tf.equal(guess, tf.cast(y, tf.int32)), tf.float32)
    diverged = tf.reduce_any(tf.math.is_nan(logits), -1)
    return tf.where(diverged, tf.constant(float("nan"), tf.float32), right)


def _cross_entropies(logits: Tensor, y: Tensor) -> Tensor:
    if tf.as_dtype(y.dtype).is_floating:
        raise ValueError(
            "Labels must be integers, one for each example. Received: y of dtype "
            f'{y.dtype.name}. For float targets give the learner targets="values".'
        )
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(y, tf.int32), logits)
