"""Keras nets as pure functions of their weights and state."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.core.episode import Tensor


def parameters(net: keras.Model) -> list[Tensor]:
    """The net's trainable weights as tensors, in the order of its variables."""
    return [tf.convert_to_tensor(v.value) for v in net.trainable_variables]


def state(net: keras.Model) -> list[Tensor]:
    """The net's non-trainable values (moving statistics, seeds) as tensors."""
    return [tf.convert_to_tensor(v.value) for v in net.non_trainable_variables]


def moving(net: keras.Model) -> list[bool]:
    """Which non-trainable values a call in training mode changes.

    Floats among them are moving statistics, integers the states of dropout's seeds.
    The weights of frozen layers and the constants of preprocessing stay as they are.

    Args:
        net: A built Keras model. One that does not tell its single input (a subclass
            of one's own) is taken to change them all.

    Returns:
        One for each of `net.non_trainable_variables`.
    """
    changed = [True] * len(net.non_trainable_variables)
    inputs = getattr(net, "inputs", None) or []
    if not changed or len(inputs) != 1:
        return changed

    def trace(params, values, x):
        _, after = net.stateless_call(params, values, x, training=True)
        changed[:] = [a is not b for a, b in zip(after, values, strict=True)]

    specs = [
        [tf.TensorSpec(v.shape, v.dtype) for v in variables]
        for variables in (net.trainable_variables, net.non_trainable_variables)
    ]
    x = tf.TensorSpec(inputs[0].shape, inputs[0].dtype)
    tf.function(trace, autograph=False).get_concrete_function(*specs, x)
    return changed


def empty_state(net: keras.Model, is_moving: list[bool]) -> list[Tensor]:
    """The state of a net that has seen nothing yet.

    Moving statistics are all zero; one forward pass in training mode from here
    leaves exactly that batch's statistics in a `tfmeta.layers.BatchNorm`. What is
    not a statistic is kept.

    Args:
        net: A built Keras model.
        is_moving: What `moving` returned for it.

    Returns:
        As many tensors as `net.non_trainable_variables`, in their order.
    """
    return [
        tf.zeros_like(v) if moves and v.dtype.is_floating else v
        for v, moves in zip(state(net), is_moving, strict=True)
    ]


def seeded(
    values: list[Tensor], seed: Tensor | None, is_moving: list[bool]
) -> list[Tensor]:
    """Puts an episode's seed into the seed entries of a net's state.

    Args:
        values: A net's state, as `state` gives it.
        seed: Scalar integer, or None to leave the state as it is.
        is_moving: What `moving` returned for the net.

    Returns:
        The state; each seed entry is a function of its place and `seed` alone.
    """
    if seed is None:
        return values
    mixed = []
    for place, (value, moves) in enumerate(zip(values, is_moving, strict=True)):
        if moves and not value.dtype.is_floating:
            key = tf.stack([tf.cast(seed, tf.int64), tf.constant(place, tf.int64)])
            value = tf.cast(
                tf.random.stateless_uniform(
                    value.shape, key, 0, 2**31 - 1, tf.int32, alg="philox"
                ),
                value.dtype,
            )
        mixed.append(value)
    return mixed


def folded(seed: Tensor | None, number: Tensor | int) -> Tensor | None:
    """Another seed, for a further draw within the same episode.

    Args:
        seed: Scalar integer, or None.
        number: Which draw: an integer, or a scalar tensor of one.

    Returns:
        A scalar int64, a function of both; None of None.
    """
    if seed is None:
        return None
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])
    return tf.random.stateless_uniform(
        (), key, None, None, dtype=tf.int64, alg="philox"
    )


def call(
    net: keras.Model,
    params: list[Tensor],
    net_state: list[Tensor],
    x: Tensor,
    *,
    training: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Runs a net with given weights; its variables are neither read nor written.

    Args:
        net: A built Keras model.
        params: One tensor for each of `net.trainable_variables`.
        net_state: One tensor for each of `net.non_trainable_variables`.
        x: `(examples, ...)`, the net's input.
        training: What the net's layers are told.

    Returns:
        The outputs `(examples, ...)`, and the state after the call. Gradients flow
        through both.
    """
    outputs, after = net.stateless_call(params, net_state, x, training=training)
    return outputs, list(after)
