"""The inputs that a client sends: the shape and dtype of examples and of their `y`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.core.episode import Nest
from tfmeta.core.nests import named
from tfmeta.learners import Learner

Specs = dict[str, tf.TensorSpec]
Shape = Sequence[int] | dict[str, Sequence[int]]


def example_specs(
    learner: Learner, name: str, shape: Shape | None = None
) -> tuple[Nest, Specs]:
    """The inputs that hold the `x` of a set of examples.

    Args:
        learner: The learner that takes the examples.
        name: The name of the input. If `x` is a nest, all names begin with it.
        shape: The shape of one example, or a dict of shapes for a learner without a
            net; None for the input shape of the learner's net.

    Returns:
        The structure of `x`, whose leaves are the names of inputs, and a dict of specs
        by name. The specs have None for the leading axis only, and dtype float32 or
        int32.

    Raises:
        ValueError: If `shape` does not fit the net, or is needed and not given.
    """
    inputs = tf.TensorSpec(None) if learner.body is None else learner.body.inputs
    if isinstance(shape, dict) and learner.body is None:
        inputs = {n: tf.TensorSpec([None, *each]) for n, each in shape.items()}
    elif shape is not None:
        inputs = _with_shape(inputs, shape)
    leaves = tf.nest.flatten(inputs)
    if not all(s.shape.rank and s.shape[1:].is_fully_defined() for s in leaves):
        raise ValueError(
            f"{type(learner).__name__} does not fix the shape of an example. Pass "
            f"example_shape, such as (28, 28, 1). Received: {shape}."
        )
    names = named(inputs, name)
    specs = {
        n: tf.TensorSpec(s.shape, tf.float32 if s.dtype.is_floating else tf.int32, n)
        for n, s in names.items()
    }
    return tf.nest.pack_sequence_as(inputs, list(names)), specs


def target_spec(learner: Learner, targets: Targets, name: str) -> tf.TensorSpec:
    """The input that holds the `y` of a set of examples.

    Args:
        learner: The learner that takes the examples.
        targets: The kind of `y`.
        name: The name of the input.

    Returns:
        int32 `(examples,)` for labels. For values float32 `(examples, *value_shape)`,
        or `(examples, 1)` if the shape of a value is unknown.
    """
    if isinstance(targets, Labels):
        return tf.TensorSpec([None], tf.int32, name)
    shape = value_shape(learner, targets)
    return tf.TensorSpec([None, *(shape if shape.rank else [1])], tf.float32, name)


def value_shape(learner: Learner, targets: Targets) -> tf.TensorShape:
    """The shape of one example's values.

    Args:
        learner: The learner that takes the examples.
        targets: The kind of `y`, which is values.

    Returns:
        The shape of the net's outputs if the learner answers with these; else an
        unknown shape, because the outputs may be an embedding, for example.
    """
    if learner.body is None or learner.max_way is None:
        return tf.TensorShape(None)
    outputs: Any = targets.point(learner.body.outputs)
    return outputs.shape[1:]


def _with_shape(inputs: Nest, shape: Shape) -> Nest:
    if tf.nest.is_nested(inputs):
        raise ValueError(
            "example_shape is for nets of one input, but this net takes "
            f"{sorted(named(inputs))}. Leave example_shape out."
        )
    asked = tf.TensorShape([None, *(() if isinstance(shape, dict) else shape)])
    if isinstance(shape, dict) or not inputs.shape.is_compatible_with(asked):
        raise ValueError(
            f"example_shape={shape} does not fit the net, which takes examples "
            f"of shape {tuple(inputs.shape[1:])}. Leave example_shape out."
        )
    return tf.TensorSpec(asked, inputs.dtype)
