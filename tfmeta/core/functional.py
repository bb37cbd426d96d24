"""Keras nets as pure functions of their weights and state."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.keys import fold


class Traits(NamedTuple):
    """Facts about a net that a trace of it finds.

    Attributes:
        inputs: The net's inputs, a nest of `tf.TensorSpec` whose leading axes are None.
        outputs: The net's outputs, a nest of `tf.TensorSpec`.
        moving: For each of `net.non_trainable_variables`, whether a call in training
            mode changes it. A float variable that changes is a moving statistic, an
            integer variable the state of a random layer. The weights of frozen layers
            and the constants of preprocessing do not change.
    """

    inputs: Nest
    outputs: Nest
    moving: list[bool]


def traits(net: keras.Model) -> Traits:
    """Traces a net in training mode.

    If the trace fails, the net is traced a second time, on integers of the same shape.

    Args:
        net: A built Keras model.

    Returns:
        The net's inputs and outputs, and which of its variables a call changes.

    Raises:
        ValueError: If the net does not tell the shape of its inputs, or cannot run on
            inputs of that shape.
    """
    found, reasons = _described_inputs(net), []
    # A subclassed model tells the shapes of its inputs, but not their dtypes. Integers
    # are the second guess: token ids are integers.
    for inputs in (found, _as_integers(found)):
        try:
            return _traced(net, inputs)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            reasons.append(str(error).strip().splitlines()[-1])
    raise ValueError(
        f"The net {net.name!r} fails on inputs of the shape that it was built with "
        f"({reasons[0]}). Call the net on a batch of examples before you give the net "
        "to a learner."
    )


def parameters(net: keras.Model) -> list[Tensor]:
    """The net's trainable weights as tensors, in the order of its variables."""
    return [tf.convert_to_tensor(v.value) for v in net.trainable_variables]


def state(net: keras.Model) -> list[Tensor]:
    """The net's non-trainable values as tensors, in the order of its variables.

    These are moving statistics, seeds, and the weights of frozen layers.
    """
    return [tf.convert_to_tensor(v.value) for v in net.non_trainable_variables]


def seeded(
    values: list[Tensor], seed: Tensor | None, moving: list[bool]
) -> list[Tensor]:
    """Puts a task's seed into the seed entries of a net's state.

    Args:
        values: A net's state, as `state` returns it.
        seed: Scalar integer, or None to leave the state as it is.
        moving: `Traits.moving` of the net.

    Returns:
        The state, in which each seed entry depends on `seed` and on its place in the
        list alone.
    """
    if seed is None:
        return values
    return [
        _seed_state(fold(seed, "layer", place), value)
        if moves and not value.dtype.is_floating
        else value
        for place, (value, moves) in enumerate(zip(values, moving, strict=True))
    ]


def call(
    net: keras.Model,
    params: list[Tensor],
    net_state: list[Tensor],
    x: Nest,
    *,
    training: bool,
    layer_losses: list[Tensor] | None = None,
) -> tuple[Nest, list[Tensor]]:
    """Runs a net with given weights; its variables are neither read nor written.

    Args:
        net: A built Keras model.
        params: One tensor for each of `net.trainable_variables`.
        net_state: One tensor for each of `net.non_trainable_variables`.
        x: The net's input, `(examples, ...)`.
        training: The argument `training` of the net's layers.
        layer_losses: The list to which the losses are added that the net's layers add
            by `add_loss` or an activity regulariser, each a scalar; None drops them.
            The regularisers of weights are not among them.

    Returns:
        The outputs `(examples, ...)`, and the state after the call. Gradients flow
        through both.
    """
    # The `call` of a subclassed model may lack the argument `training`.
    asked = inspect.signature(net.call).parameters
    told = {"training": training} if "training" in asked else {}
    if layer_losses is None:
        outputs, after = net.stateless_call(params, net_state, x, **told)
        return outputs, list(after)
    outputs, after, losses = net.stateless_call(
        params, net_state, x, return_losses=True, **told
    )
    # Keras lists the weights' regularisers last.
    regularised = sum(v.regularizer is not None for v in net.trainable_weights)
    layer_losses.extend(losses[: len(losses) - regularised])
    return outputs, list(after)


def _traced(net: keras.Model, inputs: Nest) -> Traits:
    """Traces a net on inputs of the given specs."""
    moving: list[bool] = []

    def trace(params: list[Tensor], values: list[Tensor], x: Nest) -> Nest:
        outputs, after = call(net, params, values, x, training=True)
        moving.extend(a is not b for a, b in zip(after, values, strict=True))
        return outputs

    variables = (net.trainable_variables, net.non_trainable_variables)
    specs = [[tf.TensorSpec(v.shape, v.dtype) for v in group] for group in variables]
    graph = tf.function(trace, autograph=False).get_concrete_function(*specs, inputs)
    leaves = tf.nest.flatten(inputs)
    taken = [
        tf.TensorSpec(spec.shape, tf.int32 if _made_whole(tensor) else spec.dtype)
        for spec, tensor in zip(leaves, graph.inputs[-len(leaves) :], strict=True)
    ]
    outputs = tf.nest.map_structure(
        lambda t: tf.TensorSpec(t.shape, t.dtype), graph.structured_outputs
    )
    return Traits(tf.nest.pack_sequence_as(inputs, taken), outputs, moving)


def _made_whole(tensor: Tensor) -> bool:
    """Whether a net only casts a float input to integers.

    An Embedding does so, and its input layer often has the default dtype, a float.
    """
    uses = tensor.consumers()
    return bool(uses) and all(
        use.type == "Cast" and use.outputs[0].dtype.is_integer for use in uses
    )


def _seed_state(seed: Tensor | None, like: Tensor) -> Tensor:
    draw = tf.random.stateless_uniform(
        like.shape,
        tf.stack([seed, tf.constant(0, tf.int64)]),
        0,
        2**31 - 1,
        tf.int32,
        alg="philox",
    )
    return tf.cast(draw, like.dtype)


def _described_inputs(net: keras.Model) -> Nest:
    """The inputs that a net declares, as specs whose leading axes are None."""

    def spec(shape: Any, dtype: Any) -> tf.TensorSpec:
        return tf.TensorSpec((None, *shape[1:]), dtype)

    functional = keras_internals.functional(net)
    if functional is not None:
        return tf.nest.map_structure(lambda t: spec(t.shape, t.dtype), functional.input)
    config = net.get_build_config() or {}
    if "input_shape" not in config:
        raise ValueError(
            f"The net {net.name!r} does not tell the shape of its input. Give it an "
            "Input layer, or call the net once with a batch of examples as the only "
            "argument."
        )

    def walk(shape: Any) -> Nest:
        if isinstance(shape, dict):
            return {name: walk(each) for name, each in shape.items()}
        if any(isinstance(each, list | tuple) for each in shape):
            return [walk(each) for each in shape]
        return spec(shape, net.variable_dtype)

    return walk(config["input_shape"])


def _as_integers(specs: Nest) -> Nest:
    return tf.nest.map_structure(lambda s: tf.TensorSpec(s.shape, tf.int32), specs)
