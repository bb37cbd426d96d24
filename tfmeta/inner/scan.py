"""Repeating a step, with gradients whose memory grows by one carry a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core.episode import Nest, Tensor

TRACED_STEPS = 5

ScanStep: TypeAlias = Callable[[Nest, Tensor], tuple[Nest, Nest]]


def scan(step: ScanStep, carry: Nest, *, steps: int) -> tuple[Nest, Nest]:
    """Applies a step again and again, and stacks the outputs of the steps.

    Up to `TRACED_STEPS` steps are traced one after the other, which is fastest. More
    steps run in a while loop. The loop's gradient runs each step again from the carry
    before the step and takes one vector-Jacobian product, so memory grows by one carry
    a step. A graph without gradients never keeps these carries.

    The loop's gradient can be differentiated again in a graph, but XLA does not compile
    that.

    Gradients of the last carry and of the outputs reach the first carry, and every
    tensor and variable that the step reads. A step must change no variable. To get a
    trajectory, output the carry; for a multi-step loss, output a loss; to truncate,
    stop the gradient of the carry.

    Args:
        step: A function of the carry and the step's number, a scalar int32 from 0. It
            returns the next carry, which has the structure, shapes and dtypes of the
            carry, and the step's output: a nest of tensors, () for none.
        carry: The first carry, any nest of tensors.
        steps: The number of steps, at least 0.

    Returns:
        The carry after the last step, and the outputs, stacked to `(steps, ...)`.

    Raises:
        ValueError: If `steps` is below 0, or the step changes a Keras variable.

    Example:
        >>> doubled, path = scan(
        ...     lambda x, index: (2.0 * x, x), tf.constant(1.0), steps=3
        ... )
        >>> float(doubled), path.numpy().tolist()
        (8.0, [1.0, 2.0, 4.0])
    """
    if steps < 0:
        raise ValueError(f"steps must be at least 0. Received: {steps}.")
    if steps == 0:
        _, out = _taken(step, carry, tf.constant(0))  # Only its shapes are used.
        return carry, tf.nest.map_structure(
            lambda o: tf.convert_to_tensor(o)[tf.newaxis][:0], out
        )
    if steps <= TRACED_STEPS:
        outs = []
        for index in range(steps):
            carry, out = _taken(step, carry, tf.constant(index))
            outs.append(out)
        return carry, tf.nest.map_structure(lambda *each: tf.stack(each), *outs)
    if tf.executing_eagerly():
        return tf.function(lambda start: _loop(step, start, steps), autograph=False)(
            tf.nest.map_structure(tf.convert_to_tensor, carry)
        )
    return _loop(step, carry, steps)


def _taken(step: ScanStep, carry: Nest, index: Tensor) -> tuple[Nest, Nest]:
    with _NoChanges():
        return step(carry, index)


def _loop(step: ScanStep, carry: Nest, steps: int) -> tuple[Nest, Nest]:
    """The scan as a while loop with a gradient of its own; inside a graph."""
    flat = [tf.convert_to_tensor(c) for c in tf.nest.flatten(carry)]
    one = _Traced(step, carry, flat)

    @tf.custom_gradient
    def run(*inputs):
        # The tensors that the step reads are inputs of this function, because tensors
        # that it captures would get no gradient.
        last, outs, before = _forwards(one, list(inputs[: len(flat)]), steps)

        def gradient(*upstream, variables=()):
            # The gradients of variables flow through `one.values`, which are inputs.
            grads = _backwards(one, before, list(upstream), steps)
            return (grads, [None] * len(variables)) if variables else grads

        return [*last, *outs], gradient

    results = run(*flat, *one.values)
    last, outs = results[: len(flat)], results[len(flat) :]
    return (
        tf.nest.pack_sequence_as(carry, last),
        tf.nest.pack_sequence_as(one.out, outs),
    )


class _Traced:
    """A step as one graph of flat tensors.

    Args:
        step: The step.
        carry: The structure of the carry.
        flat: The leaves of the carry.

    Attributes:
        out: The nest of the specs of a step's output.
        read: The float tensors and TensorFlow variables that the step reads from
            outside. A Keras variable is read once, outside, and counts as a tensor.
        values: The values of `read`, as tensors.
    """

    def __init__(self, step: ScanStep, carry: Nest, flat: list[Tensor]):
        def leaves(index, *flat):
            with _ReadOutside(graph):
                after, out = step(tf.nest.pack_sequence_as(carry, flat), index)
            return tf.nest.flatten(after), tf.nest.map_structure(
                tf.convert_to_tensor, out
            )

        graph = tf.compat.v1.get_default_graph()
        specs = [tf.TensorSpec(t.shape, t.dtype) for t in flat]
        self._function = tf.function(leaves, autograph=False).get_concrete_function(
            tf.TensorSpec((), tf.int32), *specs
        )
        self.out = self._function.structured_outputs[1]
        captured = self._function.captured_inputs
        self.read: list[Any] = [
            t for t in [*captured, *self._function.variables] if _has_gradient(t)
        ]
        self.values = [tf.convert_to_tensor(t) for t in self.read]

    def __call__(self, index: Tensor, flat: list[Tensor]):
        """Takes one step; returns the leaves of the carry and of the output."""
        after, out = self._function(index, *flat)
        return list(after), tf.nest.flatten(out)


class _NoChanges(keras.StatelessScope):
    """Refuses changes of Keras variables; an outer scope's values stay in force."""

    def add_update(self, update: Any) -> None:
        """Refuses the change.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "A step of a scan is repeated, so it must change no variable. Received: a "
            f"change of {update[0].path}. Pass what changes through the carry, and "
            "call layers that keep a state (Dropout, BatchNorm) through a Body."
        )

    def get_current_value(self, variable: keras.Variable) -> Tensor | None:
        """The value of a variable in an outer scope; None if no outer scope has one."""
        if self.original_scope is None:
            return None
        return self.original_scope.get_current_value(variable)


class _ReadOutside(_NoChanges):
    """Reads Keras variables in the graph around the graph that is traced.

    A variable then reaches the traced step as a tensor, like all else the step reads.

    Args:
        graph: The graph around the traced one.
    """

    def __init__(self, graph: Any):
        super().__init__()
        self._graph = graph

    def get_current_value(self, variable: keras.Variable) -> Tensor:
        """The value of a variable, a tensor of the graph around the traced one."""
        value = super().get_current_value(variable)
        if value is None:
            value = self.state_mapping.get(id(variable))
        if value is None:
            with self._graph.as_default():
                value = tf.convert_to_tensor(keras_internals.stored(variable))
            self.state_mapping[id(variable)] = value
        return value


def _forwards(one: _Traced, flat: list[Tensor], steps: int):
    """Loops; returns the last carry, the outputs, and the carry before each step."""

    def arrays(specs):
        return [
            tf.TensorArray(s.dtype, steps, element_shape=s.shape, infer_shape=False)
            for s in specs
        ]

    def body(index, flat, kept, outs):
        kept = [a.write(index, c) for a, c in zip(kept, flat, strict=True)]
        flat, out = one(index, flat)
        return (
            index + 1,
            flat,
            kept,
            [a.write(index, o) for a, o in zip(outs, out, strict=True)],
        )

    _, flat, kept, outs = tf.while_loop(
        lambda index, *_: index < steps,
        body,
        (0, flat, arrays(flat), arrays(tf.nest.flatten(one.out))),
        parallel_iterations=1,
    )
    return flat, [a.stack() for a in outs], [a.stack() for a in kept]


def _backwards(one: _Traced, before: list[Tensor], upstream: list[Tensor], steps: int):
    """Loops backwards; returns the gradients of the carry, then of `one.read`."""
    of_carry = [_has_gradient(t) for t in before]
    of_outs = [_has_gradient(s) for s in tf.nest.flatten(one.out)]
    end = _chosen(upstream[: len(before)], of_carry)
    from_outs = _chosen(upstream[len(before) :], of_outs)

    def body(index, moving, totals):
        flat = [tf.gather(kept, index) for kept in before]
        sources = [*_chosen(flat, of_carry), *one.read]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            after, out = one(index, flat)
        grads = tape.gradient(
            [*_chosen(after, of_carry), *_chosen(out, of_outs)],
            sources,
            output_gradients=[*moving, *(tf.gather(u, index) for u in from_outs)],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        grads = [tf.convert_to_tensor(g) for g in grads]
        split = len(moving)
        totals = [t + g for t, g in zip(totals, grads[split:], strict=True)]
        return index - 1, grads[:split], totals

    _, start, totals = tf.while_loop(
        lambda index, *_: index >= 0,
        body,
        (tf.constant(steps - 1), end, [tf.zeros_like(t) for t in one.values]),
        parallel_iterations=1,
    )
    floats = iter(start)
    return [next(floats) if wanted else None for wanted in of_carry] + totals


def _has_gradient(tensor: Any) -> bool:
    return tensor.dtype.is_floating or tensor.dtype.is_complex


def _chosen(tensors: list[Any], wanted: list[bool]) -> list[Any]:
    return [t for t, is_wanted in zip(tensors, wanted, strict=True) if is_wanted]
