"""What an adapted classifier and an adapted regressor share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Examples, Options, Targets, nests
from tfmeta.core.episode import Nest, Tensor
from tfmeta.data.nested import as_arrays
from tfmeta.data.prepare.castable import check_castable
from tfmeta.data.prepare.fits import check_fits, ready
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.data.prepare.scale_pictures import ScalePictures
from tfmeta.data.prepare.texts import check_texts
from tfmeta.export.verbs import bound, of_queries, predictions_of, variables_of
from tfmeta.learners import Learner
from tfmeta.serving.far_outside import FarOutside

AT_ONCE = 128  # The most examples in one call of the net, to bound memory.


class AdaptedTask:
    """A learner that has learned one task; abstract.

    Args:
        learner: The learner that adapts.
        targets: The kind of `y`, labels or values.
        prepare: How raw inputs become what the net takes; see `MetaModel`.
        far_outside: What warns of inputs that are not like those of meta-training;
            None for one of its own.

    Attributes:
        learner: The learner.
        targets: The kind of `y`.
        prepare: The `Preparation` of the inputs.
        weights: A copy of the learner's variables, which the learner reads here in
            place of its own: `adapted` belongs to these values.
        adapted: What the learner's `adapt` returned.
    """

    def __init__(
        self,
        learner: Learner,
        targets: Targets,
        *,
        prepare: Any = None,
        far_outside: FarOutside | None = None,
    ):
        self.learner, self.targets = learner, targets
        self._inputs: Nest = learner.inputs
        self._raw: Nest = None  # The specs of the first raw examples.
        self.prepare = as_preparation(prepare, self._inputs)
        self._far_outside = far_outside or FarOutside(self.prepare)
        self.weights = [
            tf.Variable(tf.convert_to_tensor(v), trainable=False)
            for v in variables_of(learner)
        ]
        self.adapted: Nest = None

    @property
    def raw_inputs(self) -> dict[str, Any]:
        """What an export must know of raw examples: arguments of `save_classifier`."""
        if not isinstance(self.prepare.layer, ScalePictures):
            known = self.prepare.inputs is not None
            inputs = self.prepare.inputs if known else self._raw
            return {"prepare": self.prepare.replaced(inputs=inputs)}
        one = self.learner.body is None or not tf.nest.is_nested(self._inputs)
        shapes = tf.nest.map_structure(lambda s: tuple(s.shape[1:]), self._inputs)
        return {"prepare": self.prepare, "example_shape": shapes if one else None}

    def read(self, name: str, x: Any) -> Nest:
        """Prepares raw examples, as arrays that the net takes.

        Args:
            name: The name of the examples in an error.
            x: What the preparation takes, `(examples, ...)`, or a nest of such arrays.

        Returns:
            Arrays of float32, or of the net's dtype if it takes whole numbers, in the
            nest that the net takes.

        Raises:
            ValueError: If the examples do not become finite numbers, do not have the
                shape that the net takes, or are not exact in the net's dtype; or if a
                text is empty.

        Warns:
            UserWarning: If a value is far outside the range of meta-training.
        """
        try:
            raw = tf.nest.map_structure(_array, as_arrays(x))
        except (TypeError, ValueError) as error:
            raise _no_numbers(name, x, error) from error
        bare = [array for array in tf.nest.flatten(raw) if not array.ndim]
        if bare and bare[0].dtype.kind == "O":
            raise ValueError(
                f"{name} must be an array or a list, with an entry for each example. "
                f"Received: {type(bare[0].item()).__name__}. Read datasets and "
                "generators into arrays first, such as by np.stack(list(generator))."
            )
        if bare:
            raise _not_finite(name, "a single number")
        check_texts(name, raw)
        prepared = self._prepared(name, raw)
        read = self._as_taken(name, prepared)
        if len({len(leaf) for leaf in tf.nest.flatten(read)}) > 1:
            raise ValueError(
                f"The parts of {name} must have the same number of examples. Received: "
                f"{[len(leaf) for leaf in tf.nest.flatten(read)]}."
            )
        self._far_outside(name, prepared)
        if self._raw is None:
            self._raw = tf.nest.map_structure(
                lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), raw
            )
        return read

    def _prepared(self, name: str, raw: Nest) -> Nest:
        """Prepares examples, some at a time to bound memory; returns arrays."""
        count = max(len(leaf) for leaf in tf.nest.flatten(raw))
        parts = []
        for i in range(0, max(count, 1), AT_ONCE):
            some = tf.nest.map_structure(lambda a, i=i: a[i : i + AT_ONCE], raw)
            some = tf.nest.map_structure(tf.convert_to_tensor, some)
            made = ready(self.prepare, some, name)
            if not isinstance(self.prepare.layer, ScalePictures):
                # ScalePictures keeps shapes, so that the inputs themselves do not fit.
                check_fits(self.prepare, some, made, self._inputs, name)
            parts.append(tf.nest.map_structure(np.asarray, made))
        return tf.nest.map_structure(lambda *each: np.concatenate(each), *parts)

    def _as_taken(self, name: str, arrays: Nest) -> Nest:
        """Casts prepared arrays to what the net takes."""
        if self._inputs is None:
            return tf.nest.map_structure(lambda a: _numbers(name, a, None), arrays)
        specs, given = (nests.named(nest, name) for nest in (self._inputs, arrays))
        if list(specs) != list(given):
            raise ValueError(
                f"{name} must have the net's inputs: {', '.join(specs)}. Received: "
                f"{', '.join(given)}. Give a dict or a tuple of arrays as the net "
                "takes it."
            )
        read = [_numbers(name, a, specs[part]) for part, a in given.items()]
        return tf.nest.pack_sequence_as(self._inputs, read)

    def fix_shape(self, x: Nest) -> None:
        """Makes `read` refuse further examples of another shape than these.

        Args:
            x: What `read` returned.
        """
        self._inputs = tf.nest.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), x
        )

    def adapt_to(self, x: Nest, y: np.ndarray) -> Nest:
        """Adapts to a support set.

        A learner that `extends` takes `AT_ONCE` examples at a time, to save memory.

        Args:
            x: What `read` returned, `(examples, ...)`.
            y: The labels or values, `(examples, ...)`.

        Returns:
            What the learner's `adapt` returns for all examples.
        """
        most = AT_ONCE if self.learner.extends else len(y)
        with bound(self.learner, self.weights):
            adapted = self.learner.adapt(_some(x, y, 0, most), Options())
        for start in range(most, len(y), most):
            adapted = self.extended(adapted, _some(x, y, start, start + most))
        return adapted

    def extended(self, adapted: Nest, more: Examples) -> Nest:
        """Goes on from an adapted task with more examples; see `Learner.extend`.

        Args:
            adapted: What the learner's `adapt` returned.
            more: The further examples.

        Returns:
            What `adapt` would return for all examples together.
        """
        with bound(self.learner, self.weights):
            return self.learner.extend(adapted, more, Options())

    def predictions(self, x: Any) -> Nest:
        """The learner's predictions.

        Args:
            x: Raw inputs, `(queries, ...)`.

        Returns:
            `(queries, ...)` tensors.
        """
        with bound(self.learner, self.weights):
            parts = [
                predictions_of(self.learner, self.adapted, queries, Options())
                for queries in self._queries(x)
            ]
        return tf.nest.map_structure(lambda *each: tf.concat(each, 0), *parts)

    def closeness(self, support: Nest, labels: np.ndarray, x: Any) -> Tensor:
        """How near single support examples lie to queries; see `Learner.closeness`.

        Args:
            support: What `read` returned, `(examples, ...)`.
            labels: Their labels, `(examples,)`.
            x: Raw inputs, `(queries, ...)`.

        Returns:
            `(queries, examples)`.

        Raises:
            ValueError: If the learner compares queries with no single examples.
        """
        # Examples that are learned one by one are looked at so, to save memory.
        most = AT_ONCE if self.learner.extends else len(labels)
        some = [
            _some(support, labels, start, start + most)
            for start in range(0, len(labels), most)
        ]
        with bound(self.learner, self.weights):
            rows = [
                [of_queries(self._closeness_to(s), queries) for s in some]
                for queries in self._queries(x)
            ]
        return tf.concat([tf.concat(parts, 1) for parts in rows], 0)

    def _closeness_to(self, support: Examples) -> Callable[[Nest], Tensor]:
        return lambda queries: self.learner.closeness(support, queries, Options())

    def _queries(self, x: Any) -> list[Nest]:
        """Raw queries as the net takes them, some at a time."""
        queries = self.read("x", x)
        asked = len(tf.nest.flatten(queries)[0])
        # In mode "task" queries depend on each other, so they stay together.
        step = max(asked, 1) if self.learner.mode == "task" else AT_ONCE
        return [
            tf.nest.map_structure(lambda a, i=i: tf.constant(a[i : i + step]), queries)
            for i in range(0, max(asked, 1), step)
        ]


def _some(x: Nest, y: np.ndarray, start: int, end: int) -> Examples:
    return tf.nest.map_structure(lambda a: tf.constant(a[start:end]), Examples(x, y))


def _numbers(name: str, values: np.ndarray, spec: tf.TensorSpec | None) -> np.ndarray:
    """Casts to what the net takes, float32 or whole numbers."""
    dtype = spec.dtype if spec is not None and spec.dtype.is_integer else tf.float32
    try:
        with np.errstate(over="ignore"):  # What overflows is refused below.
            numbers = values.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise _no_numbers(name, values, error) from error
    if not np.isfinite(numbers).all():
        raise _not_finite(name, "NaN or infinite values")
    check_castable(name, values, dtype)
    if dtype.is_integer:
        numbers = values.astype(dtype.as_numpy_dtype)
    if spec is None or spec.shape[1:].is_compatible_with(numbers.shape[1:]):
        return numbers
    if numbers.ndim == 1 and spec.shape[1:] == (1,):
        return numbers[..., np.newaxis]  # A column of a table, as Keras takes it too.
    wanted = ", ".join(str(n) for n in ("examples", *spec.shape[1:]))
    remedy = "Give examples of the shape that the net takes."
    if spec.shape[1:].is_compatible_with(numbers.shape):
        remedy = "A single example becomes an array of one example by x[None]."
    elif spec.shape[1:].is_compatible_with((*numbers.shape[1:], 1)):
        remedy = "Examples without an axis of channels get one by x[..., None]."
    raise ValueError(
        f"{name} must have the shape ({wanted}). Received: {numbers.shape}. {remedy}"
    )


def _array(array: np.ndarray) -> np.ndarray:
    """The same array, if TensorFlow can hold it."""
    tf.as_dtype(array.dtype)
    return array


def _not_finite(name: str, what: str) -> ValueError:
    return ValueError(
        f"{name} must be an array of finite numbers. Received: {what}. Leave damaged "
        "examples out."
    )


def _no_numbers(name: str, x: Any, error: Exception) -> ValueError:
    return ValueError(
        f"{name} must be an array of numbers, with examples of one shape. "
        f"Received: {type(x).__name__}, and NumPy says: {error}."
    )
