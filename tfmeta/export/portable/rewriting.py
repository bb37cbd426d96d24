"""A graph written anew, with other operations in place of some of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from tfmeta.export.portable.unportable import Unportable, layer_of

Tensor: TypeAlias = Any
Rules: TypeAlias = Mapping[str, Callable[..., Any]]

# Tensors of at most so many numbers are computed now if their inputs are known now.
_FOLDED = 1000
_LOOPS = ("While", "StatelessWhile")
_LOWERED = ("Merge", "RefSwitch", "Switch", "_SwitchN")  # Of tf.switch_case.
_CHOICES = ("If", "StatelessIf")


def rewritten(function: Any, rules: Rules) -> Any:
    """Writes the graph of a function anew.

    The new graph holds the values of variables as constants and calls no functions, but
    for the bodies of loops and branches. What its outputs do not need is left out, and
    what depends on nothing but constants is computed once.

    Args:
        function: A concrete function whose inputs are named and whose outputs are a
            dict of tensors, such as a signature of a SavedModel.
        rules: For types of operations what takes their place: a function of the old
            operation and of its new inputs. It returns the new outputs, the first ones
            at least, or NotImplemented if the operation may stay.

    Returns:
        A concrete function of the same inputs and outputs.

    Raises:
        Unportable: If a rule has no form for an operation; the error names its layer.
    """
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    specs = function.structured_input_signature[1]
    places = {t.op.name: t for t in frozen.inputs}
    if places.keys() - specs.keys():
        raise Unportable(
            "The graph reads what is neither a variable nor an input, such as a lookup "
            "table, which small runtimes do not have. Take a net or a preparation "
            "without it, or use format='savedmodel'."
        )
    writer = _Writer(rules, frozen.graph)

    def traced(**sent: Tensor) -> dict[str, Tensor]:
        fed = {places[name].ref(): sent[name] for name in places}
        outputs = writer.write(frozen.outputs, fed)
        names = sorted(function.structured_outputs)
        return {n: tf.identity(t) for n, t in zip(names, outputs, strict=True)}

    named = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in specs.items()
    }
    return tf.function(traced, autograph=False).get_concrete_function(**named)


class _Writer:
    """Writes operations into the graph that is being traced.

    Args:
        rules: The rules, see `rewritten`.
        root: The graph that has the functions of all loops and branches.
    """

    def __init__(self, rules: Rules, root: Any):
        self._rules, self._root = rules, root
        library = root.as_graph_def().library
        self._functions = {each.signature.name: each for each in library.function}

    def write(
        self, outputs: Sequence[Tensor], fed: Mapping[Any, Tensor]
    ) -> list[Tensor]:
        """Writes what some tensors of another graph are computed by.

        Args:
            outputs: Tensors of the other graph.
            fed: New tensors by the references of old ones, its inputs among them.

        Returns:
            The new tensors in place of the outputs.
        """
        new = dict(fed)
        order = _in_order(outputs, new)
        read = {t.ref() for op in order for t in op.inputs}
        read |= {t.ref() for t in outputs}
        for op in order:
            inputs = [new[t.ref()] for t in op.inputs]
            if op.type in _LOOPS:
                asked = {i for i, t in enumerate(op.outputs) if t.ref() in read}
                written = self._loop(op, inputs, asked)
            elif op.type in _CHOICES:
                written = self._choice(op, inputs)
            else:
                written = self._written(op, inputs)
            for old, tensor in zip(op.outputs, written, strict=False):
                new[old.ref()] = tensor
        return [new[t.ref()] for t in outputs]

    def _written(self, op: tf.Operation, inputs: list[Tensor]) -> Sequence[Tensor]:
        if op.type in self._rules:
            with tf.name_scope(op.name):
                made = self._rules[op.type](op, *inputs)
            if made is not NotImplemented:
                return made if isinstance(made, list | tuple) else [made]
        called = any(a.func.name or a.list.func for a in op.node_def.attr.values())
        if called or op.type in _LOWERED:
            raise Unportable(
                f"Small runtimes have no form for {op.type} of {layer_of(op)}, which "
                "calls a function. Take a net without it, or use format='savedmodel'."
            )
        known = [tf.get_static_value(t) for t in inputs]
        small = all(v is not None and v.size <= _FOLDED for v in known)
        if inputs and small and _can_be_computed(op):
            return _computed(op, known)
        return [_constant_if_known(t) for t in _copied(op, inputs)]

    def _graph(self, op: tf.Operation, part: str, shapes: Sequence[Any]) -> Any:
        """The graph of a function that an operation calls."""
        found = self._functions[op.get_attr(part).name]
        with self._root.as_default():  # It has the functions that this one calls.
            return function_def_to_graph(found, input_shapes=list(shapes))

    def _loop(
        self, op: tf.Operation, inputs: list[Tensor], asked: set[int]
    ) -> Sequence[Tensor | None]:
        said = op.get_attr("output_shapes")
        shapes = [tf.TensorShape(s) for s in said] or [t.shape for t in inputs]
        goes_on, body = (self._graph(op, part, shapes) for part in ("cond", "body"))
        # What a loop only keeps, such as its steps for gradients of them, is left out.
        live = _live(goes_on, body, asked)

        def fed(graph: Any, state: Sequence[Tensor]) -> dict[Any, Tensor]:
            return {graph.inputs[i].ref(): t for i, t in zip(live, state, strict=True)}

        def condition(*state: Tensor) -> Tensor:
            return self.write(goes_on.outputs, fed(goes_on, state))[0]

        def step(*state: Tensor) -> list[Tensor]:
            return self.write([body.outputs[i] for i in live], fed(body, state))

        ended = tf.while_loop(
            condition,
            step,
            [inputs[i] for i in live],
            shape_invariants=[shapes[i] for i in live],
        )
        found = dict(zip(live, ended, strict=True))
        return [found.get(i) for i in range(len(inputs))]

    def _choice(self, op: tf.Operation, inputs: list[Tensor]) -> Sequence[Tensor]:
        which, *given = inputs
        shapes = [t.shape for t in given]
        then, otherwise = (
            self._graph(op, part, shapes) for part in ("then_branch", "else_branch")
        )
        chosen = tf.cond(
            which,
            lambda: self._inside(then, given),
            lambda: self._inside(otherwise, given),
        )
        return list(chosen) if isinstance(chosen, list | tuple) else [chosen]

    def _inside(self, graph: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
        fed = {t.ref(): new for t, new in zip(graph.inputs, inputs, strict=True)}
        return self.write(graph.outputs, fed)


def _in_order(
    outputs: Sequence[Tensor], there: Mapping[Any, Tensor]
) -> list[tf.Operation]:
    """The operations that outputs need, each after those that it reads."""
    order: list[tf.Operation] = []
    seen: set[str] = set()
    waiting = [(t.op, False) for t in reversed(outputs) if t.ref() not in there]
    while waiting:
        op, read = waiting.pop()
        if read:
            order.append(op)
        elif op.name not in seen:
            seen.add(op.name)
            waiting.append((op, True))
            waiting += [(t.op, False) for t in op.inputs if t.ref() not in there]
    return order


def _live(goes_on: Any, body: Any, asked: set[int]) -> list[int]:
    """The variables of a loop that its condition and what is asked of it depend on."""
    places = {t.ref(): i for i, t in enumerate(body.inputs)}
    conditions = {t.ref(): i for i, t in enumerate(goes_on.inputs)}
    live = asked | _needed(goes_on.outputs, conditions)
    while True:
        more = live | _needed([body.outputs[i] for i in live], places)
        if more == live:
            return sorted(live)
        live = more


def _needed(outputs: Sequence[Tensor], places: Mapping[Any, int]) -> set[int]:
    """The numbers of the inputs that some outputs depend on."""
    read = {t.ref() for op in _in_order(outputs, {}) for t in op.inputs}
    read |= {t.ref() for t in outputs}
    return {place for ref, place in places.items() if ref in read}


def _copied(op: tf.Operation, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The same operation on other inputs, in the graph that is being traced."""
    attrs = {k: v for k, v in op.node_def.attr.items() if not k.startswith("_")}
    new = tf.compat.v1.get_default_graph().create_op(
        op.type,
        list(inputs),
        [t.dtype for t in op.outputs],
        input_types=[t.dtype for t in inputs],
        name=op.name,
        attrs=attrs,
        op_def=op.op_def,
    )
    return list(new.outputs)


def _can_be_computed(op: tf.Operation) -> bool:
    """Whether an operation gives the same, few numbers whenever it runs."""
    sizes = [t.shape.num_elements() for t in op.outputs]
    few = all(size is not None and size <= _FOLDED for size in sizes)
    plain = all(t.dtype.is_numpy_compatible for t in op.outputs)
    return few and plain and not op.op_def.is_stateful


def _computed(op: tf.Operation, known: Sequence[np.ndarray]) -> list[Tensor]:
    """The outputs of an operation whose inputs are known, as constants."""
    with tf.Graph().as_default() as graph:
        inputs = [
            tf.constant(v, t.dtype) for v, t in zip(known, op.inputs, strict=True)
        ]
        outputs = _copied(op, inputs)
        with tf.compat.v1.Session(graph=graph) as session:
            values = session.run(outputs)
    return [
        tf.constant(v, t.dtype, name=op.name)
        for v, t in zip(values, op.outputs, strict=True)
    ]


def _constant_if_known(tensor: Tensor) -> Tensor:
    """A constant in place of a tensor whose value follows from shapes alone."""
    if tensor.op.type == "Const" or not tensor.dtype.is_numpy_compatible:
        return tensor
    value = tf.get_static_value(tensor)
    if value is None or value.size > _FOLDED:
        return tensor
    return tf.constant(value, tensor.dtype)
