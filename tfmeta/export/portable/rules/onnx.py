"""What ONNX alone needs otherwise: its runtime chooses between numbers slowly."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def relu(op: tf.Operation, dy: Any, x: Any) -> Any:
    """`ReluGrad`; an infinite gradient that does not count makes it NaN."""
    return dy * tf.cast(x > 0, dy.dtype)


def relu6(op: tf.Operation, dy: Any, x: Any) -> Any:
    """`Relu6Grad`, as `relu`."""
    return dy * tf.cast((x > 0) & (x < 6), dy.dtype)


ONLY_ONNX = {"Relu6Grad": relu6, "ReluGrad": relu}
