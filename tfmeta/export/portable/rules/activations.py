"""Gradients of activations, and of functions of single numbers.

Each rule takes the old operation and what TensorFlow's kernel takes, which is the
gradient `dy` and, by the kernel, the input `x` or the output `y` of the function.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Of SELU, as its paper gives them.
_SCALE, _SCALED_ALPHA = 1.0507009873554805, 1.7580993408473766


def relu(op: tf.Operation, dy: Any, x: Any) -> Any:
    """`ReluGrad`; `x` may be the input or the output."""
    return tf.where(x > 0, dy, tf.zeros_like(dy))


def relu6(op: tf.Operation, dy: Any, x: Any) -> Any:
    """`Relu6Grad`; `x` may be the input or the output."""
    return tf.where((x > 0) & (x < 6), dy, tf.zeros_like(dy))


def leaky_relu(op: tf.Operation, dy: Any, x: Any) -> Any:
    """`LeakyReluGrad`."""
    return tf.where(x > 0, dy, op.get_attr("alpha") * dy)


def elu(op: tf.Operation, dy: Any, y: Any) -> Any:
    """`EluGrad`."""
    return tf.where(y < 0, dy * (y + 1), dy)


def selu(op: tf.Operation, dy: Any, y: Any) -> Any:
    """`SeluGrad`."""
    return tf.where(y < 0, dy * (y + _SCALED_ALPHA), dy * _SCALE)


def softplus(op: tf.Operation, dy: Any, x: Any) -> Any:
    """`SoftplusGrad`."""
    return dy * tf.sigmoid(x)


def softsign(op: tf.Operation, dy: Any, x: Any) -> Any:
    """`SoftsignGrad`."""
    return dy / tf.square(1 + tf.abs(x))


def tanh(op: tf.Operation, y: Any, dy: Any) -> Any:
    """`TanhGrad`."""
    return dy * (1 - y * y)


def sigmoid(op: tf.Operation, y: Any, dy: Any) -> Any:
    """`SigmoidGrad`."""
    return dy * y * (1 - y)


def rsqrt(op: tf.Operation, y: Any, dy: Any) -> Any:
    """`RsqrtGrad`."""
    return -0.5 * dy * y * y * y


def sqrt(op: tf.Operation, y: Any, dy: Any) -> Any:
    """`SqrtGrad`."""
    return 0.5 * dy / y


def reciprocal(op: tf.Operation, y: Any, dy: Any) -> Any:
    """`ReciprocalGrad` and `InvGrad`."""
    return -dy * y * y


ACTIVATIONS = {
    "EluGrad": elu,
    "InvGrad": reciprocal,
    "LeakyReluGrad": leaky_relu,
    "ReciprocalGrad": reciprocal,
    "Relu6Grad": relu6,
    "ReluGrad": relu,
    "RsqrtGrad": rsqrt,
    "SeluGrad": selu,
    "SigmoidGrad": sigmoid,
    "SoftplusGrad": softplus,
    "SoftsignGrad": softsign,
    "SqrtGrad": sqrt,
    "TanhGrad": tanh,
}
