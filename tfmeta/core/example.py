"""What one example of a net's input looks like."""

from __future__ import annotations

import keras
import tensorflow as tf


def example_spec(net: keras.Model | None) -> tf.TensorSpec:
    """The shape and dtype of one example that a net takes.

    Args:
        net: A built Keras model of one input; None for any input.

    Returns:
        The spec without the leading axis; float32, or int32 for integers. What the
        net leaves open is None in the shape, or the shape is unknown.

    Raises:
        ValueError: If the net has several inputs.
    """
    inputs = getattr(net, "inputs", None) or []
    if len(inputs) > 1:
        raise ValueError(
            "A learner's net takes one input, the examples. Received: a net of "
            f"{len(inputs)} inputs."
        )
    if not inputs:
        return tf.TensorSpec(None, tf.float32)
    dtype = tf.as_dtype(inputs[0].dtype)
    return tf.TensorSpec(
        inputs[0].shape[1:], tf.float32 if dtype.is_floating else tf.int32
    )
