"""A learner that has learned one task."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Examples
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
        x, names = _inputs(support_x), np.asarray(support_y)
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
        labels = tf.constant(labels.astype(np.int32))
        self.adapted = learner.adapt(Examples(tf.constant(x), labels))

    def predict(self, x: Any) -> np.ndarray:
        """Class probabilities.

        Args:
            x: `(queries, ...)`, scaled as the support set was.

        Returns:
            `(queries, len(classes))` float32; each row sums to one.
        """
        logits = self.learner.predict(self.adapted, tf.constant(_inputs(x)))
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
            ValueError: If `y` names a class the support set did not have.
        """
        unknown = sorted(set(np.asarray(y).tolist()) - set(self.classes.tolist()))
        if unknown:
            raise ValueError(
                f"y names classes that were not in the support set: {unknown[:5]}. "
                f"The classes are {self.classes.tolist()[:5]} ..."
            )
        return float(np.mean(self.classify(x) == np.asarray(y)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a SavedModel that answers queries of this task, and only predicts.

        Args:
            path: The folder to write; its last part should be a version number for
                TensorFlow Serving.
        """
        save_classifier(self.learner, self.adapted, self.classes, path)


def _inputs(x: Any) -> np.ndarray:
    x = np.asarray(x)
    if x.dtype == np.uint8:
        return x.astype(np.float32) / 255.0
    return x.astype(np.float32)
