"""The shapes and dtypes of raw examples, and of what is known of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.core.episode import Nest
from tfmeta.core.nests import named
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.prepare.fits import check_fits, ready
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.prepare.scale_pictures import ScalePictures
from tfmeta.learners import Learner

Shape = Sequence[int] | dict[str, Sequence[int]]


def raw_inputs(
    learner: Learner, preparation: Preparation, shape: Shape | None = None
) -> Nest:
    """The raw examples, as clients have them.

    Args:
        learner: The learner that takes prepared examples.
        preparation: The preparation. If it does not know its raw inputs, they are as
            the learner's net takes them.
        shape: The shape of one example, or a dict of shapes for a learner without a
            net; None for the shape that the preparation or the net knows.

    Returns:
        A nest of `tf.TensorSpec`, which have None for the leading axis only.

    Raises:
        ValueError: If `shape` does not fit, or is needed and not given.
    """
    known = _known_inputs(learner, preparation)
    if isinstance(shape, dict) and known is None:
        known = {n: tf.TensorSpec([None, *each]) for n, each in shape.items()}
    elif shape is not None:
        known = _with_shape(tf.TensorSpec(None) if known is None else known, shape)
    if known is None or not _defined(known):
        raise ValueError(
            f"{type(learner).__name__} does not fix the shape of an example. Pass "
            f"example_shape, such as (28, 28, 1). Received: {shape}."
        )
    if not isinstance(preparation.layer, ScalePictures):
        _check_fits(learner, preparation, known)
    return known


def _known_inputs(learner: Learner, preparation: Preparation) -> Nest:
    """The raw examples as far as they are known; None if they are not."""
    inputs, known = learner.inputs, preparation.inputs
    if not isinstance(preparation.layer, ScalePictures):
        return inputs if known is None else known
    # Scaling pictures changes no shape.
    if known is None or (inputs is not None and _defined(inputs)):
        return inputs
    dtypes = [s.dtype for s in tf.nest.flatten(inputs)] if inputs is not None else []
    specs = [
        tf.TensorSpec(s.shape, dtype or tf.float32)
        for s, dtype in itertools.zip_longest(tf.nest.flatten(known), dtypes)
    ]
    return tf.nest.pack_sequence_as(known, specs)


def _defined(inputs: Nest) -> bool:
    """Whether the shape of an example is known in full."""
    shapes = [s.shape for s in tf.nest.flatten(inputs)]
    return all(s.rank and s[1:].is_fully_defined() for s in shapes)


def _check_fits(learner: Learner, preparation: Preparation, raw: Nest) -> None:
    """Refuses raw examples of which the preparation does not make the net's inputs."""
    sent = tf.nest.map_structure(
        lambda s: tf.TensorSpec(s.shape, sent_dtype(s.shape[1:], s.dtype)), raw
    )

    def traced(specs: Nest) -> Nest:
        graph = tf.function(preparation, autograph=False)
        return graph.get_concrete_function(specs).structured_outputs

    try:
        prepared = ready(preparation, sent, apply=traced)
        check_fits(preparation, sent, prepared, learner.inputs)
    except ValueError as error:
        if preparation.inputs is not None:
            raise
        raise ValueError(
            f"{error} The shape of raw examples is not known, so it was taken to be "
            "the net's. Say it: Preparation(layer, inputs=tf.TensorSpec((None, 8)))."
        ) from error


def sent_dtype(shape: Any, dtype: tf.DType) -> tf.DType:
    """The dtype in which a client sends raw examples.

    Args:
        shape: The shape of one example.
        dtype: The dtype of the raw examples.

    Returns:
        float32 for floats and for pixels of pictures, string for texts, int32 for all
        others.
    """
    if dtype.is_floating or is_picture(shape, dtype):
        return tf.float32
    return tf.string if dtype == tf.string else tf.int32


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
            "example_shape is for examples of one array, but this model takes "
            f"{sorted(named(inputs))}. Leave out example_shape."
        )
    asked = tf.TensorShape([None, *(() if isinstance(shape, dict) else shape)])
    if isinstance(shape, dict) or not inputs.shape.is_compatible_with(asked):
        raise ValueError(
            f"example_shape={shape} does not fit the net, which takes examples "
            f"of shape {tuple(inputs.shape[1:])}. Leave out example_shape."
        )
    return tf.TensorSpec(asked, inputs.dtype)
