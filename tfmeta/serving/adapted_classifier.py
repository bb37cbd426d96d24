"""A learner that has learned one task of classes."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Examples, Labels, Options, class_names
from tfmeta.core.episode import NO_EXAMPLES, Nest
from tfmeta.core.problems import listed
from tfmeta.evaluation import LabelledLogits, Rejection, choose_threshold
from tfmeta.export import save_classifier
from tfmeta.learners import Learner
from tfmeta.ops import example_shares
from tfmeta.serving.base import AdaptedTask


class AdaptedClassifier(AdaptedTask):
    """Classifies the queries of one task; made by `MetaModel.adapt`.

    It keeps the weights that it was made with: training the model further does not
    change its answers.

    Args:
        learner: The learner that adapts.
        support_x: Raw inputs, `(examples, ...)`, or a dict or tuple of such arrays;
            None for a learner that does not adapt.
        support_y: `(examples,)` class names or numbers; None as `support_x`.
        **options: `prepare` and `far_outside`, see `AdaptedTask`.

    Attributes:
        classes: The distinct values of `support_y`, sorted, then the classes that
            `add_class` added. Column i of `predict` belongs to `classes[i]`.

    Raises:
        ValueError: If the arrays do not fit each other or the learner.
    """

    def __init__(
        self,
        learner: Learner,
        support_x: Any = None,
        support_y: Any = None,
        **options: Any,
    ):
        super().__init__(learner, Labels(), **options)
        self._support: list[tuple[Nest, np.ndarray]] = []
        if not learner.adapts:
            self._answer_unadapted(support_x, support_y)
            return
        x, names = self.read("support_x", support_x), _names(support_y)
        examples = tf.nest.flatten(x)[0]
        if names.ndim != 1:
            raise ValueError(
                "support_y must be a vector of the names or numbers of classes. "
                f"Received: shape {names.shape}. A column becomes a vector by [:, 0], "
                "one-hot rows become numbers by argmax(-1)."
            )
        if len(examples) != len(names) or not len(names):
            raise ValueError(
                "support_x and support_y must have the same number of examples, at "
                f"least one. Received: shapes {examples.shape} and {names.shape}."
            )
        self.classes, labels = class_names.encode(names)
        self._check_way(len(self.classes))
        self.fix_shape(x)
        self._support = [(x, labels)]
        self.adapted = self.adapt_to(x, labels)

    def _answer_unadapted(self, support_x: Any, support_y: Any) -> None:
        """Sets up a learner that knows its classes and takes no support set."""
        if support_x is not None or support_y is not None:
            raise ValueError(
                f"{type(self.learner).__name__} does not adapt: it answers with the "
                "classes that it was trained on. Received: a support set. Leave it out."
            )
        learner: Any = self.learner
        self.classes = np.array(learner.class_names)
        self.adapted = learner.adapt(NO_EXAMPLES, Options())

    def __repr__(self) -> str:
        """The learner's class and the first names of the task's classes."""
        names = listed(map(repr, self.classes.tolist()))
        learner = type(self.learner).__name__
        return f"AdaptedClassifier({learner}, {len(self.classes)} classes: {names})"

    def add_class(self, x: Any, name: Any) -> None:
        """Learns one more class, which gets a new last column of `predict`.

        A learner that `extends` (NearestNeighbour; ProtoNet and MatchingNet where the
        net's normalisation is "running" or none) looks at the new examples alone, and
        answers as if adapted to all at once. Any other learner adapts anew to all
        examples. A net with a head needs an unused output.

        Args:
            x: Raw inputs, `(examples, ...)`, such as the support set's.
            name: The name or number of the class, of the same kind as the others.

        Raises:
            ValueError: If the examples do not fit, if there is such a class already, or
                if the net's head has no unused output.
        """
        if not self.learner.adapts:
            raise ValueError(
                f"{type(self.learner).__name__} answers with the classes that it was "
                "trained on, and learns no others. Use a learner that adapts, such as "
                "ProtoNet, around its net without the head."
            )
        more = self.read("x", x)
        count = len(tf.nest.flatten(more)[0])
        if not count:
            raise ValueError("A class needs at least one example. Received: none.")
        classes, way = self._classes_with(name), len(self.classes)
        self._check_way(way + 1)
        labels = np.full(count, way, np.int32)
        parts = [*self._support, (more, labels)]
        if self.learner.extends:
            examples = tf.nest.map_structure(tf.constant, Examples(more, labels))
            self.adapted = self.extended(self.adapted, examples)
        else:
            self.adapted = self.adapt_to(*_together(parts))
        self._support, self.classes = parts, classes

    def predict(self, x: Any) -> np.ndarray:
        """Class probabilities.

        Args:
            x: Raw inputs, `(queries, ...)`, such as the support set's.

        Returns:
            `(queries, len(classes))` float32; each row sums to one.

        Raises:
            ValueError: If `x` is not made of finite numbers, its examples are not
                shaped as those of the support set, or the learner has diverged.
        """
        known = self.predictions(x)[:, : len(self.classes)]
        return _finite(self.targets.outputs(known)["probabilities"].numpy())

    def classify(self, x: Any, *, reject_below: float | None = None) -> np.ndarray:
        """The most probable class of each query.

        Args:
            x: Raw inputs, `(queries, ...)`, such as the support set's.
            reject_below: A query is answered if its largest class probability is at
                least this number; every other query gets None. See `choose_threshold`.
                None answers all queries.

        Returns:
            `(queries,)` entries of `classes`; of dtype object if `reject_below` is
            given.

        Raises:
            ValueError: As for `predict`, or if `reject_below` is not in 0..1.
        """
        if reject_below is not None and not 0 <= reject_below <= 1:
            raise ValueError(
                "reject_below must be a probability, in 0..1, or None. Received: "
                f"{reject_below}."
            )
        probabilities = self.predict(x)
        likeliest = self.classes[probabilities.argmax(-1)]
        if reject_below is None:
            return likeliest
        sure = probabilities.max(-1) >= reject_below
        rejecting: np.ndarray = likeliest.astype(object)
        rejecting[~sure] = None
        return rejecting

    def explain(self, x: Any) -> np.ndarray:
        """How much each support example decided the answer to each query.

        The probability of each class is divided among the examples of the class, by how
        near the query they lie: by the softmax of the negative squared distances, or of
        the scaled cosines, that the learner compares by. For MatchingNet this is its
        attention.

        Args:
            x: Raw inputs, `(queries, ...)`, such as the support set's.

        Returns:
            `(queries, examples)` float32; each row sums to one, and the entries of a
            class's examples to its probability. Columns are in the order of the support
            set, then of the examples that `add_class` added.

        Raises:
            ValueError: As for `predict`, or if the learner compares queries with no
                single examples.
        """
        if not self._support:
            raise ValueError(
                f"{type(self.learner).__name__} has no support set, so no example of "
                "it decides. ProtoNet, MatchingNet and NearestNeighbour have."
            )
        examples, labels = _together(self._support)
        closeness = self.closeness(examples, labels, x)
        logits = self.predictions(x)[:, : len(self.classes)]
        return _finite(example_shares(logits, closeness, labels).numpy())

    def choose_threshold(
        self,
        x: Any,
        y: Any,
        *,
        accuracy: float | None = None,
        coverage: float | None = None,
    ) -> Rejection:
        """Chooses a `reject_below` on queries whose classes are known.

        To choose a threshold before adaptation, on tasks of validation classes, see
        `tfmeta.evaluation.choose_threshold`. Give one of `accuracy` and `coverage`.

        Args:
            x: `(queries, ...)`, used neither to adapt nor to judge the threshold later.
            y: `(queries,)` class names or numbers, each one of `classes`.
            accuracy: The share of the kept answers that must be right, in 0..1; as many
                answers as possible are kept.
            coverage: The least share of answers to keep, in 0..1; the surest are kept.

        Returns:
            The `threshold`, and its `accuracy` and `coverage` on `x`.

        Raises:
            ValueError: As for `evaluate`, and if no threshold meets the demand.
        """
        truth = self._known(x, y)
        with np.errstate(divide="ignore"):  # A probability may be zero.
            logits = np.log(self.predict(x))
        labels = (truth[:, None] == self.classes).argmax(-1)
        found = LabelledLogits(logits, labels)
        return choose_threshold(found, accuracy=accuracy, coverage=coverage)

    def evaluate(self, x: Any, y: Any) -> float:
        """The accuracy, in 0..1, on queries whose classes are known.

        Args:
            x: Raw inputs, `(queries, ...)`, such as the support set's.
            y: `(queries,)` class names or numbers, each one of `classes`.

        Returns:
            The share of queries that are answered with their class.

        Raises:
            ValueError: If there is no query, if `x` and `y` have unequal numbers of
                queries, or if `y` names a class that is not in `classes`.
        """
        truth = self._known(x, y)
        return float(np.mean(self.classify(x) == truth))

    def _known(self, x: Any, y: Any) -> np.ndarray:
        """The classes of queries as an array, one of `classes` for each query."""
        truth = np.asarray(y)
        asked = len(tf.nest.flatten(self.read("x", x))[0])
        if truth.shape != (asked,) or not asked:
            raise ValueError(
                "x and y must have the same number of queries, at least one. Received: "
                f"{asked} queries and y of shape {truth.shape}."
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
        temperature: float | None = None,
        format: str = "savedmodel",
        precision: str | None = None,
        reject_below: float | None = None,
        refuse_outside: bool = False,
        allow_transductive: bool = False,
    ) -> pathlib.Path:
        """Writes a SavedModel that answers queries of this task, and only predicts.

        The SavedModel prepares raw queries as this object does, and answers with the
        class names too, as strings. If the preparation reads pictures, it also has the
        signature `predict_images`, which takes their files.

        Args:
            path: The folder to write. "birds/3" is version 3 of "birds"; "birds" is the
                next free version of it.
            temperature: The number that logits are divided by before they become
                probabilities, see `tfmeta.evaluation.fit_temperature`; None to leave
                them, as `predict` does.
            format: "savedmodel", or "litert" or "onnx" for small runtimes, which give
                labels and no names; export.json lists the names in their order.
            precision: Of the weights in a small format, see `tfmeta.export.save`.
            reject_below: A query is answered if its largest class probability, after
                the temperature, is at least this number; every other query gets the
                label -1 and the name "". None answers all queries.
            refuse_outside: Whether queries are refused whose prepared values are far
                outside those of meta-training; see `Preparation.outside`.
            allow_transductive: Whether normalisation "task" may be served, where a
                query's answer depends on the other queries of its request.

        Returns:
            The version folder.

        Raises:
            ValueError: If the classifier cannot be served in this way, or the folder
                cannot be written.
        """
        return save_classifier(
            self.learner,
            self.adapted,
            self.classes.tolist(),
            path,
            weights=self.weights,
            format=format,
            precision=precision,
            temperature=temperature,
            refuse_outside=refuse_outside,
            reject_below=reject_below,
            allow_transductive=allow_transductive,
            **self.raw_inputs,
        )

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
        class_names.class_texts(classes)
        return classes

    def _check_way(self, way: int) -> None:
        most = self.learner.max_way
        if most is not None and way > most:
            raise ValueError(
                f"The learner's head serves at most {most} classes, but there would be "
                f"{way}. Use a net without a head, or fewer classes."
            )


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
        f"whole numbers. Received: {list(each)[:5]}. Whole numbers that are held as "
        "floats become integers by y.astype(int)."
    )


def _together(parts: list[tuple[Nest, np.ndarray]]) -> tuple[Nest, np.ndarray]:
    """Support examples and labels that came one after the other."""
    joined: tuple[Nest, np.ndarray] = tf.nest.map_structure(
        lambda *each: np.concatenate(each), *parts
    )
    return joined


def _finite(probabilities: np.ndarray) -> np.ndarray:
    if np.isfinite(probabilities).all():
        return probabilities
    raise ValueError(
        "An answer holds a NaN or an infinite probability. Check that the support set "
        "and the queries are scaled as in training; else lower the learner's inner "
        "step size or its number of steps."
    )
