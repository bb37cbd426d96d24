"""A learner that has learned one task."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Examples
from tfmeta.core.example import example_spec
from tfmeta.export import save_classifier
from tfmeta.learners import Learner


class AdaptedClassifier:
    """Answers queries of one task; made by `MetaModel.adapt`.

    Args:
        learner: The learner that adapts.
        support_x: `(examples, ...)`; uint8 images are scaled to 0..1.
        support_y: `(examples,)` class names or numbers.

    Attributes:
        classes: The distinct values of `support_y`, sorted: column i of `predict`
            belongs to `classes[i]`.

    Raises:
        ValueError: If the arrays do not fit each other or the learner.
    """

    def __init__(self, learner: Learner, support_x: Any, support_y: Any):
        x, names = _inputs("support_x", support_x), np.asarray(support_y)
        if names.ndim != 1 or len(x) != len(names) or not len(x):
            raise ValueError(
                "support_x and support_y must have the same number of examples, at "
                f"least one. Received: shapes {x.shape} and {names.shape}."
            )
        self.classes, labels = np.unique(names, return_inverse=True)
        way = len(self.classes)
        if learner.max_way is not None and way > learner.max_way:
            raise ValueError(
                f"The learner's head serves at most {learner.max_way} classes, but "
                f"support_y has {way}. Use a net without a head, or fewer classes."
            )
        self.learner = learner
        self._example_shape = example_spec(learner.net).shape
        self._check_shape("support_x", x)
        self._example_shape = tf.TensorShape(x.shape[1:])
        labels = tf.constant(labels.astype(np.int32))
        self.adapted = learner.adapt(Examples(tf.constant(x), labels))

    def predict(self, x: Any) -> np.ndarray:
        """Class probabilities.

        Args:
            x: `(queries, ...)`, scaled as the support set was.

        Returns:
            `(queries, len(classes))` float32; each row sums to one.

        Raises:
            ValueError: If `x` is not made of finite numbers, or its examples are not
                shaped as those of the support set.
        """
        queries = _inputs("x", x)
        self._check_shape("x", queries)
        logits = self.learner.predict(self.adapted, tf.constant(queries))
        return tf.nn.softmax(logits[:, : len(self.classes)]).numpy()

    def classify(self, x: Any) -> np.ndarray:
        """The most probable class of each query, `(queries,)`, as in `classes`."""
        return self.classes[self.predict(x).argmax(-1)]

    def evaluate(self, x: Any, y: Any) -> float:
        """The accuracy, in 0..1, on queries whose classes are known.

        Args:
            x: `(queries, ...)`.
            y: `(queries,)` class names or numbers, of those it was adapted to.

        Returns:
            The share of queries answered with their class.

        Raises:
            ValueError: If there is not one `y` for each `x` and at least one, or if
                `y` names a class the support set did not have.
        """
        truth = np.asarray(y)
        if truth.shape != (len(x),) or not len(x):
            raise ValueError(
                "x and y must have the same number of queries, at least one. Received: "
                f"{len(x)} queries and y of shape {truth.shape}."
            )
        unknown = sorted(set(truth.tolist()) - set(self.classes.tolist()), key=str)
        if unknown:
            raise ValueError(
                f"y names classes that were not in the support set: {unknown[:5]}. "
                f"It had {self.classes.tolist()[:5]}. Leave such queries out."
            )
        return float(np.mean(self.classify(x) == truth))

    def save(
        self, path: str | os.PathLike[str], *, allow_transductive: bool = False
    ) -> pathlib.Path:
        """Writes a SavedModel that answers queries of this task, and only predicts.

        Args:
            path: "birds/3" is version 3; "birds" takes the next free number in it.
            allow_transductive: Whether normalisation "task" may be served, where a
                query's answer depends on the other queries of its request.

        Returns:
            The version folder.

        Raises:
            ValueError: If the classifier cannot be served so, or the folder not be
                written.
        """
        return save_classifier(
            self.learner,
            self.adapted,
            self.classes.tolist(),
            path,
            allow_transductive=allow_transductive,
            example_shape=self._example_shape,
        )

    def _check_shape(self, name: str, x: np.ndarray) -> None:
        if not self._example_shape.is_compatible_with(x.shape[1:]):
            wanted = ", ".join(str(n) for n in ("examples", *self._example_shape))
            raise ValueError(
                f"{name} must have the shape ({wanted}). Received: {x.shape}. Give "
                "examples as the net takes them, the leading axis counting them."
            )


def _inputs(name: str, x: Any) -> np.ndarray:
    """Float32, scaled to 0..1 from uint8."""
    try:
        values = np.asarray(x)
        scale = 255.0 if values.dtype == np.uint8 else 1.0
        with np.errstate(over="ignore"):  # Too large becomes infinite, told below.
            values = values.astype(np.float32) / np.float32(scale)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of numbers, with examples of one shape. "
            f"Received: {type(x).__name__}, and NumPy says: {error}."
        ) from error
    if values.ndim == 0 or not np.isfinite(values).all():
        what = "a single number" if values.ndim == 0 else "NaN or infinite values"
        raise ValueError(
            f"{name} must be an array of finite numbers. Received: {what}. Leave "
            "damaged examples out."
        )
    return values
