"""The graphs of a SavedModel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Examples, Options, Targets
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.nests import count, named
from tfmeta.export.checks import (
    checked,
    finite_checks,
    shape_checks,
    support_checks,
)
from tfmeta.export.example import Shape, Specs, example_specs, target_spec
from tfmeta.learners import Learner

ADAPT = "adapt"
PREDICT = "predict"
BOTH = "adapt_and_predict"
DEFAULT = "serving_default"


def adaptive(
    learner: Learner,
    targets: Targets,
    steps: int | None,
    example_shape: Shape | None = None,
) -> dict[str, Any]:
    """A learner's graphs without Python code: adapt, predict, and both in one.

    Args:
        learner: The learner.
        targets: The kind of `y`.
        steps: The number of inner steps; None for the learner's own number.
        example_shape: The shape of one example; None for the net's input shape.

    Returns:
        The concrete functions by signature name; `serving_default` is the graph of
        both in one.

    Raises:
        ValueError: If the shape of an example is not known, or if a tensor of the
            adapted state has the name of an input.
    """
    verbs = _Verbs(learner, targets, steps)
    verbs.support_x, support = example_specs(learner, "support_x", example_shape)
    verbs.query_x, query = example_specs(learner, "query_x", example_shape)
    support = {**support, "support_y": target_spec(learner, targets, "support_y")}
    adapt = _graph(verbs.adapt, support)
    state = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in adapt.structured_outputs.items()
    }
    if state.keys() & query.keys():
        raise ValueError(
            "What adapt returns cannot be served: a tensor of it has the name of an "
            f"input, {sorted(state.keys() & query.keys())}. Rename its key."
        )
    both = _graph(verbs.adapt_and_predict, {**support, **query})
    return {
        ADAPT: adapt,
        PREDICT: _graph(verbs.predict, {**query, **state}),
        BOTH: both,
        DEFAULT: both,
    }


class _Verbs:
    """A learner's verbs on named tensors, whose content is checked first."""

    def __init__(self, learner: Learner, targets: Targets, steps: int | None):
        self.learner, self.targets = learner, targets
        self.options = Options(steps=steps)
        self.support_x: Nest = None  # A structure whose leaves are names of inputs.
        self.query_x: Nest = None
        self.adapted: Nest = None

    def adapt(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Adapts to a support set; returns the adapted state as named tensors."""
        inputs = checked(inputs, self._support_checks(inputs))
        self.adapted = self._adapted(inputs)
        return named(self.adapted)

    def predict(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Answers queries from an adapted state."""
        inputs = checked(inputs, _finite(inputs))
        # The order is that of the nest; the arguments may come in another order.
        leaves = [inputs[name] for name in named(self.adapted)]
        adapted = tf.nest.pack_sequence_as(self.adapted, leaves)
        return self._outputs(adapted, inputs)

    def adapt_and_predict(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Adapts to a support set and answers queries."""
        query = {n: inputs[n] for n in tf.nest.flatten(self.query_x)}
        checks = [*self._support_checks(inputs), *_finite(query)]
        inputs = checked(inputs, checks)
        return self._outputs(self._adapted(inputs), inputs)

    def _support_checks(self, inputs: dict[str, Tensor]) -> list[Any]:
        x = {n: inputs[n] for n in tf.nest.flatten(self.support_x)}
        y, max_way = inputs["support_y"], self.learner.max_way
        return support_checks(x, y, self.targets, max_way)

    def _adapted(self, inputs: dict[str, Tensor]) -> Nest:
        x = _filled(self.support_x, inputs)
        return self.learner.adapt(Examples(x, inputs["support_y"]), self.options)

    def _outputs(self, adapted: Nest, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        x = _filled(self.query_x, inputs)
        predictions = predictions_of(self.learner, adapted, x, self.options)
        return checked_outputs(self.targets, predictions)


def fixed(
    learner: Learner,
    adapted: Nest,
    targets: Targets,
    *,
    weights: Sequence[tf.Variable] | None = None,
    example_shape: Shape | None = None,
    names: Sequence[str] | None = None,
    reject_below: float | None = None,
) -> tuple[dict[str, Any], list[tf.Variable]]:
    """The graph of one adapted task, without Python code; it only predicts.

    Args:
        learner: The learner.
        adapted: What the learner's `adapt` returned.
        targets: The kind of `y`.
        weights: The weights that `adapted` belongs to, one for each of the learner's
            variables; None for the variables' own.
        example_shape: The shape of one example; None for the net's input shape.
        names: The names of the classes, for the first columns of the logits; None for
            values.
        reject_below: A query is answered if its largest class probability is at least
            this number; every other query gets the label -1 and the name "". None
            answers all queries.

    Returns:
        The concrete functions by signature name, and the variables that they may read.
    """
    weights = variables_of(learner) if weights is None else weights
    held = [tf.Variable(t, trainable=False) for t in tf.nest.flatten(adapted)]
    structure, specs = example_specs(learner, "query_x", example_shape)

    def predict(**inputs: Tensor) -> dict[str, Tensor]:
        inputs = checked(inputs, _finite(inputs))
        nest = tf.nest.pack_sequence_as(
            adapted, [tf.convert_to_tensor(v) for v in held]
        )
        x = _filled(structure, inputs)
        with bound(learner, weights):
            predictions = predictions_of(learner, nest, x, Options())
        if names is None:
            return checked_outputs(targets, predictions)
        answer = checked_outputs(targets, predictions[:, : len(names)])
        told = tf.gather(tf.constant(names), answer["labels"])
        if reject_below is None:
            return {**answer, "names": told}
        sure = tf.reduce_max(answer["probabilities"], -1) >= reject_below
        labels = tf.where(sure, answer["labels"], -1)
        return {**answer, "labels": labels, "names": tf.where(sure, told, "")}

    graph = _graph(predict, specs)
    return {PREDICT: graph, DEFAULT: graph}, [*weights, *held]


def variables_of(learner: Learner) -> list[tf.Variable]:
    """The TensorFlow variables of a learner, in the order of `learner.variables`."""
    return [v.value for v in learner.variables]


def bound(learner: Learner, weights: Sequence[tf.Variable]) -> keras.StatelessScope:
    """A scope in which a learner reads other variables in place of its own.

    Args:
        learner: The learner.
        weights: A variable for each of `learner.variables`. Only those that the learner
            reads are read.

    Returns:
        The scope, for a `with` statement.
    """
    scope = keras.StatelessScope()
    for variable, weight in zip(learner.variables, weights, strict=True):
        scope.add_update((variable, weight))
    return scope


def predictions_of(learner: Learner, adapted: Nest, x: Nest, options: Options) -> Nest:
    """The learner's predictions, of which there may be none.

    A request without queries is run on one query of zeros, whose prediction is dropped:
    an empty batch has no batch statistics, and some kernels fail on it.

    Args:
        learner: The learner.
        adapted: What the learner's `adapt` returned.
        x: `(queries, ...)`; the number of queries may be 0.
        options: The options of `Learner.predict`.

    Returns:
        `(queries, ...)`.
    """
    asked = tf.convert_to_tensor(count(x))

    def with_one(leaf: Tensor) -> Tensor:
        extra = tf.zeros([tf.maximum(1 - asked, 0), *leaf.shape[1:]], leaf.dtype)
        return tf.concat([leaf, extra], 0)

    shown = tf.nest.map_structure(with_one, x)
    predictions = learner.predict(adapted, shown, options)
    return tf.nest.map_structure(lambda p: p[:asked], predictions)


def checked_outputs(targets: Targets, predictions: Nest) -> dict[str, Tensor]:
    """The tensors of a served answer, refused where one is NaN or infinite.

    Args:
        targets: The kind of `y`.
        predictions: What the learner predicted, `(queries, ...)`.

    Returns:
        The tensors of `Targets.outputs`.
    """
    outputs = targets.outputs(predictions)
    checks = [
        (
            tf.reduce_all(tf.math.is_finite(t)),
            tf.constant(
                f"An answer holds a NaN or an infinite value in its {name}. Check "
                "that the inputs are scaled as in training."
            ),
        )
        for name, t in outputs.items()
        if t.dtype.is_floating
    ]
    return checked(outputs, checks)


def module_of(variables: Iterable[tf.Variable], functions: Iterable[Any]) -> tf.Module:
    """The module of a SavedModel: it holds only the variables that the graphs read.

    Args:
        variables: The variables that the graphs may read.
        functions: The concrete functions.

    Returns:
        A module to save.
    """
    read = {id(t) for function in functions for t in function.captured_inputs}
    module = tf.Module()
    module.weights = [v for v in variables if id(v.handle) in read]
    return module


def _filled(structure: Nest, inputs: dict[str, Tensor]) -> Nest:
    """Replaces the names in a structure by the tensors of these names."""
    return tf.nest.map_structure(lambda name: inputs[name], structure)


def _finite(inputs: dict[str, Tensor]) -> list[Any]:
    return [check for name, x in inputs.items() for check in finite_checks(name, x)]


def _graph(function: Any, inputs: Specs) -> Any:
    """Traces a function of named tensors, whose shapes are checked first."""

    def traced(**tensors: Tensor) -> dict[str, Tensor]:
        answer: dict[str, Tensor] = function(**checked(tensors, shape_checks(tensors)))
        return answer

    return tf.function(traced, autograph=False).get_concrete_function(**inputs)
