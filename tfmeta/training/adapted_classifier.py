"""A learner that has learned one task."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Examples
from tfmeta.core.episode import Nest
from tfmeta.core.example import example_spec
from tfmeta.evaluation import Answers, Rejection, choose_threshold
from tfmeta.export import save_classifier
from tfmeta.learners import Learner

_AT_ONCE = 128  # Examples that go through the net together: what bounds memory.


class AdaptedClassifier:
    """Answers queries of one task; made by `MetaModel.adapt`.

    Args:
        learner: The learner that adapts.
        support_x: `(examples, ...)`; uint8 images are scaled to 0..1.
        support_y: `(examples,)` class names or numbers.

    Attributes:
        classes: The distinct values of `support_y`, sorted, then those that were added:
            column i of `predict` belongs to `classes[i]`.

    Raises:
        ValueError: If the arrays do not fit each other or the learner.
    """

    def __init__(self, learner: Learner, support_x: Any, support_y: Any):
        x, names = _inputs("support_x", support_x), _names(support_y)
        if names.ndim != 1 or len(x) != len(names) or not len(x):
            raise ValueError(
                "support_x and support_y must have the same number of examples, at "
                f"least one. Received: shapes {x.shape} and {names.shape}."
            )
        self.classes, labels = np.unique(names, return_inverse=True)
        self.learner = learner
        self._check_way(len(self.classes))
        self._example_shape = example_spec(learner.net).shape
        self._check_shape("support_x", x)
        self._example_shape = tf.TensorShape(x.shape[1:])
        labels = labels.astype(np.int32)
        self._support = None if learner.grows else (x, labels)
        self.adapted = self._adapted_to(x, labels)

    def add_class(self, x: Any, name: Any) -> None:
        """Learns one more class; the others keep their columns, it gets the last.

        A learner that `grows` (NearestNeighbour; ProtoNet and MatchingNet where the
        net's normalisation is "running" or none) looks at the new examples alone, and
        answers as if adapted to all at once. Any other is adapted anew to all
        examples, which are kept for that. A net with a head needs an output to spare.

        Args:
            x: `(examples, ...)`, scaled as the support set was.
            name: The name or number of the class, of the same kind as the others.

        Raises:
            ValueError: If the examples do not fit, there is such a class already, or
                the head is full.
        """
        more = _inputs("x", x)
        self._check_shape("x", more)
        if not len(more):
            raise ValueError("A class needs at least one example. Received: none.")
        classes, way = self._classes_with(name), len(self.classes)
        self._check_way(way + 1)
        labels = np.full(len(more), way, np.int32)
        if self._support is None:
            added = self._adapted_to(more, np.zeros_like(labels))
            self.adapted = self.learner.merge(self.adapted, added)
        else:
            pairs = zip(self._support, (more, labels), strict=True)
            together = [np.concatenate(pair) for pair in pairs]
            self.adapted = self._adapted_to(*together)
            self._support = (together[0], together[1])
        self.classes = classes

    def predict(self, x: Any) -> np.ndarray:
        """Class probabilities.

        Args:
            x: `(queries, ...)`, scaled as the support set was.

        Returns:
            `(queries, len(classes))` float32; each row sums to one.

        Raises:
            ValueError: If `x` is not made of finite numbers, its examples are not
                shaped as those of the support set, or the learner has diverged.
        """
        queries = _inputs("x", x)
        self._check_shape("x", queries)
        # In the one mode where queries depend on each other they stay together.
        joined = self.learner.normalisation == "task"
        step = max(len(queries), 1) if joined else _AT_ONCE
        logits = [
            self.learner.predict(self.adapted, tf.constant(queries[i : i + step]))
            for i in range(0, max(len(queries), 1), step)
        ]
        known = tf.concat(logits, 0)[:, : len(self.classes)]
        probabilities: np.ndarray = tf.nn.softmax(known).numpy()
        if not np.isfinite(probabilities).all():
            raise ValueError(
                "Adaptation gave no finite probabilities. Check that the support set "
                "is scaled as the training examples were; else lower the learner's "
                "inner step size or its number of steps."
            )
        return probabilities

    def classify(self, x: Any, *, reject_below: float | None = None) -> np.ndarray:
        """The most probable class of each query.

        Args:
            x: `(queries, ...)`, scaled as the support set was.
            reject_below: Queries whose best probability is lower get None for an
                answer; see `choose_threshold`. None answers all.

        Returns:
            `(queries,)`, as in `classes`; objects where queries may be rejected.

        Raises:
            ValueError: As for `predict`.
        """
        probabilities = self.predict(x)
        answers = self.classes[probabilities.argmax(-1)]
        if reject_below is None:
            return answers
        sure = probabilities.max(-1) >= reject_below
        rejecting: np.ndarray = answers.astype(object)
        rejecting[~sure] = None
        return rejecting

    def choose_threshold(
        self,
        x: Any,
        y: Any,
        *,
        accuracy: float | None = None,
        coverage: float | None = None,
    ) -> Rejection:
        """Chooses a `reject_below` on queries whose classes are known.

        For one that is chosen before there are classes to adapt to, on tasks of
        validation classes, see `tfmeta.evaluation.choose_threshold`.

        Args:
            x: `(queries, ...)`, used neither to adapt nor to judge what is chosen.
            y: `(queries,)` class names or numbers, of those it was adapted to.
            accuracy: Keep as many answers as possible of which this share is right.
            coverage: Keep the surest answers, at least this share. Give one of the two.

        Returns:
            The `threshold`, and the `accuracy` and `coverage` it has on `x`.

        Raises:
            ValueError: As for `evaluate`, and if no threshold does.
        """
        truth = self._known(x, y)
        with np.errstate(divide="ignore"):  # A probability may be zero.
            logits = np.log(self.predict(x))
        labels = (truth[:, None] == self.classes).argmax(-1)
        found = Answers(logits, labels)
        return choose_threshold(found, accuracy=accuracy, coverage=coverage)

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
        truth = self._known(x, y)
        return float(np.mean(self.classify(x) == truth))

    def _known(self, x: Any, y: Any) -> np.ndarray:
        """The classes of queries as an array, one of `classes` for each query."""
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
        return truth

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        reject_below: float | None = None,
        allow_transductive: bool = False,
    ) -> pathlib.Path:
        """Writes a SavedModel that answers queries of this task, and only predicts.

        It answers with the class names too, as strings.

        Args:
            path: "birds/3" is version 3; "birds" takes the next free number in it.
            reject_below: Queries whose best probability is lower are answered with the
                label -1 and the name "". None answers all.
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
            reject_below=reject_below,
            allow_transductive=allow_transductive,
            example_shape=self._example_shape,
        )

    def _adapted_to(self, x: np.ndarray, labels: np.ndarray) -> Nest:
        """Adapts; a learner that grows to a few classes at a time, to save memory."""
        adapted = None
        most = _AT_ONCE if self.learner.grows else len(labels)
        for first, last in _whole_classes(labels, most):
            chosen = (labels >= first) & (labels < last)
            examples = Examples(
                tf.constant(x[chosen]), tf.constant(labels[chosen] - np.int32(first))
            )
            part = self.learner.adapt(examples)
            adapted = part if adapted is None else self.learner.merge(adapted, part)
        return adapted

    def _classes_with(self, name: Any) -> np.ndarray:
        before = self.classes.tolist()
        classes = np.append(self.classes, name) if np.ndim(name) == 0 else self.classes
        if classes.tolist() != [*before, name]:
            raise ValueError(
                "The name of a class must be of the same kind as the others, such as "
                f"{before[0]!r}. Received: {name!r}."
            )
        if name in before:
            raise ValueError(
                f"{name!r} is one of the classes already. Adapt anew, to all its "
                "examples together with those of the others."
            )
        return classes

    def _check_way(self, way: int) -> None:
        most = self.learner.max_way
        if most is not None and way > most:
            raise ValueError(
                f"The learner's head serves at most {most} classes, but there would be "
                f"{way}. Use a net without a head, or fewer classes."
            )

    def _check_shape(self, name: str, x: np.ndarray) -> None:
        if not self._example_shape.is_compatible_with(x.shape[1:]):
            wanted = ", ".join(str(n) for n in ("examples", *self._example_shape))
            raise ValueError(
                f"{name} must have the shape ({wanted}). Received: {x.shape}. Give "
                "examples as the net takes them, the leading axis counting them."
            )


def _whole_classes(labels: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of classes with at most `most` examples together, or of one class."""
    ends = np.cumsum(np.bincount(labels))
    first = 0
    while first < len(ends):
        before = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, before + most, side="right"))
        yield first, max(first + 1, last)
        first = max(first + 1, last)


def _names(support_y: Any) -> np.ndarray:
    """Class names: all of them texts, or all of them whole numbers."""
    names = np.asarray(support_y)
    if names.ndim != 1:
        return names
    # NumPy makes a text of a number that stands among texts.
    each = support_y if isinstance(support_y, list | tuple) else names.tolist()
    for kind in (str, bytes, (int, np.integer, np.bool_)):
        if all(isinstance(name, kind) for name in each):
            return np.asarray(list(each)) if names.dtype.kind == "O" else names
    raise ValueError(
        "support_y must hold the names of classes: all of them texts, or all of them "
        f"whole numbers. Received: {list(each)[:5]}."
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
