"""The graphs of a SavedModel, each a composition of stages.

A signature reads raw examples from its inputs, checks them, prepares them, runs a verb
of the learner, and turns the result into named tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.nests import named
from tfmeta.export.answer import Answer
from tfmeta.export.checks import Check, finite_checks, row_checks
from tfmeta.export.fields import read, specs_of
from tfmeta.export.guards import STATE_VALID, VALID, Guard
from tfmeta.export.known import CLASSES, Known
from tfmeta.export.prepared import Prepare
from tfmeta.export.verbs import Verbs, variables_of

ADAPT = "adapt"
EXTEND = "extend"
PREDICT = "predict"
BOTH = "adapt_and_predict"
DEFAULT = "serving_default"

Tensors = dict[str, Tensor]
Specs = dict[str, tf.TensorSpec]


@dataclass(frozen=True)
class Stages:
    """What signatures are made of.

    Attributes:
        query: The inputs of queries, a nest of `Field`.
        prepare: Prepares raw examples.
        verbs: The learner's verbs.
        answer: Turns predictions into named tensors.
        guard: Makes the guard of one signature: `Raise` or `Flag`.
    """

    query: Nest
    prepare: Prepare
    verbs: Verbs
    answer: Answer
    guard: Callable[[], Guard]

    def read_queries(self, sent: Tensors, guard: Guard) -> Nest:
        """Reads and prepares queries, whose inputs have been checked."""
        return self.prepare(read(self.query, sent, guard), "query_x", guard)

    def graph(
        self, function: Callable[[Tensors, Guard], Tensors], inputs: Specs
    ) -> Any:
        """Traces a function of named tensors, whose shapes are checked first."""

        def traced(**sent: Tensor) -> Tensors:
            guard = self.guard()
            return function(guard.passed(sent, guard.shapes(sent)), guard)

        return tf.function(traced, autograph=False).get_concrete_function(**inputs)


class Adaptive:
    """The signatures of a learner: adapt, predict, both in one, and perhaps extend.

    Args:
        stages: The stages.
        support: The inputs of support examples, a nest of `Field`.
        known: How labels, values or names of the support examples are sent.
    """

    def __init__(self, stages: Stages, support: Nest, known: Known):
        self.stages, self.support, self.known = stages, support, known
        self._state: Nest = None

    def signatures(self) -> dict[str, Any]:
        """The concrete functions by verb.

        Raises:
            ValueError: If a tensor of the adapted state has the name of an input.
        """
        name = self.known.spec.name
        support = {**specs_of(self.support), name: self.known.spec}
        query = specs_of(self.stages.query)
        graph = self.stages.graph
        adapt = graph(self._adapt, support)
        state = {
            name: tf.TensorSpec(spec.shape, spec.dtype, name)
            for name, spec in adapt.structured_outputs.items()
        }
        _check_names(
            named(self._state), {*support, *query, VALID, STATE_VALID, CLASSES}
        )
        found = {
            ADAPT: adapt,
            PREDICT: graph(self._predict, {**query, **state}),
            BOTH: graph(self._both, {**support, **query}),
        }
        if self.stages.verbs.learner.extends:
            found[EXTEND] = graph(self._extend, {**support, **state})
        return found

    def _adapt(self, sent: Tensors, guard: Guard) -> Tensors:
        sent = guard.passed(sent, self._support_checks(sent, None))
        return guard.state(self._adapted(sent, guard))

    def _extend(self, sent: Tensors, guard: Guard) -> Tensors:
        state = self._state_in(sent, without=specs_of(self.support))
        checks = [*self._state_checks(state, guard), *self._support_checks(sent, state)]
        sent = guard.passed(sent, checks)
        x, y, kept = self._read_support(sent, state, guard)
        more = self.stages.verbs.extend(self._nest(sent), x, y)
        return guard.state({**named(more), **kept})

    def _predict(self, sent: Tensors, guard: Guard) -> Tensors:
        query = specs_of(self.stages.query)
        state = self._state_in(sent, without=query)
        checks = [
            *finite_checks({name: sent[name] for name in query}),
            *self._state_checks(state, guard),
        ]
        return self._answered(guard.passed(sent, checks), guard)

    def _both(self, sent: Tensors, guard: Guard) -> Tensors:
        query = {name: sent[name] for name in specs_of(self.stages.query)}
        checks = [*self._support_checks(sent, None), *finite_checks(query)]
        sent = guard.passed(sent, checks)
        return self._answered({**sent, **self._adapted(sent, guard)}, guard)

    def _adapted(self, sent: Tensors, guard: Guard) -> Tensors:
        """The adapted state by name, with what goes with it."""
        x, y, kept = self._read_support(sent, None, guard)
        self._state = self.stages.verbs.adapt(x, y)
        return {**named(self._state), **kept}

    def _answered(self, sent: Tensors, guard: Guard) -> Tensors:
        x = self.stages.read_queries(sent, guard)
        predictions = self.stages.verbs.predict(self._nest(sent), x)
        classes = sent.get(CLASSES)
        answer = self.stages.answer(predictions, guard, classes)
        return answer if classes is None else {**answer, CLASSES: classes}

    def _nest(self, sent: Tensors) -> Nest:
        """The learner's state; arguments may come in another order than its leaves."""
        leaves = [sent[name] for name in named(self._state)]
        return tf.nest.pack_sequence_as(self._state, leaves)

    def _state_in(self, sent: Tensors, without: Iterable[str]) -> Tensors:
        others = {*without, self.known.spec.name}
        return {name: t for name, t in sent.items() if name not in others}

    def _state_checks(self, state: Tensors, guard: Guard) -> list[Check]:
        return [
            *finite_checks(state),
            *guard.state_checks(state),
            *self.known.state_checks(state),
        ]

    def _support_checks(self, sent: Tensors, state: Tensors | None) -> list[Check]:
        x = {name: sent[name] for name in specs_of(self.support)}
        name = self.known.spec.name
        return [
            *row_checks(x, name, sent[name]),
            *self.known.checks(sent[name], state),
            *finite_checks(x),
        ]

    def _read_support(
        self, sent: Tensors, state: Tensors | None, guard: Guard
    ) -> tuple[Nest, Tensor, Tensors]:
        """Prepared examples, their labels or values, and what the state keeps."""
        name = self.known.spec.name
        rows = guard.rows({n: sent[n] for n in [*specs_of(self.support), name]})
        y, kept = self.known.read(rows[name], state, guard)
        x = self.stages.prepare(read(self.support, rows, guard), "support_x", guard)
        return x, y, kept


def fixed(stages: Stages, held: Nest, names: list[str] | None = None) -> dict[str, Any]:
    """The signature of one adapted task, which only predicts.

    Args:
        stages: The stages.
        held: The adapted state, a nest of variables.
        names: The names of the classes; None for values.

    Returns:
        The concrete function by verb.
    """

    def predict(sent: Tensors, guard: Guard) -> Tensors:
        sent = guard.passed(sent, finite_checks(sent))
        adapted = tf.nest.map_structure(tf.convert_to_tensor, held)
        x = stages.read_queries(sent, guard)
        predictions = stages.verbs.predict(adapted, x)
        classes = None if names is None else tf.constant(names)
        return stages.answer(predictions, guard, classes)

    return {PREDICT: stages.graph(predict, specs_of(stages.query))}


def module_of(
    variables: Iterable[tf.Variable], functions: Iterable[Any], preparation: Any
) -> tf.Module:
    """The module of a SavedModel: it holds only what the graphs read.

    Args:
        variables: The variables that the graphs may read.
        functions: The concrete functions.
        preparation: The layer whose variables and lookup tables the graphs may read.

    Returns:
        A module to save.
    """
    captured = [t for function in functions for t in function.captured_inputs]
    read_ids = {id(t) for t in captured}
    module = tf.Module()
    every = [*variables, *variables_of(preparation)]
    module.weights = [v for v in every if id(v.handle) in read_ids]
    handles = {id(v.handle) for v in module.weights}
    if any(t.dtype == tf.resource and id(t) not in handles for t in captured):
        module.preparation = preparation
    return module


def _check_names(state: Mapping[str, Tensor], taken: set[str]) -> None:
    if state.keys() & taken:
        raise ValueError(
            "What adapt returns cannot be served: a tensor of it has the name of an "
            f"input, {sorted(state.keys() & taken)}. Rename its key."
        )
