"""The output of a layer inside a net, as a net of its own."""

from __future__ import annotations

import keras

from tfmeta import keras_internals
from tfmeta.core.problems import listed


def features(net: keras.Model, layer: str) -> keras.Model:
    """Cuts a net after one of its layers.

    The new net shares its layers and weights with the net that it was cut from. So
    features of a trained net can be the input of another method, such as `ProtoNet`.

    Args:
        net: A built functional or Sequential Keras model.
        layer: The name of one of its layers, such as "block3_relu".

    Returns:
        A model from the net's inputs to the output of the layer.

    Raises:
        ValueError: If the net is a subclassed model, if it has no layer of this name,
            or if it calls the layer several times.

    Example:
        >>> from tfmeta.nets import conv4
        >>> features(conv4(way=5), "embedding").output_shape
        (None, 64)
    """
    functional = keras_internals.functional(net)
    if functional is None:
        raise ValueError(
            f"The net {net.name!r} must be a functional or a Sequential model to be "
            f"cut after a layer. Received: {type(net).__name__}, whose layers are "
            "called in its own code. Return the features from a method of your model."
        )
    names = [each.name for each in functional.layers]
    if layer not in names:
        raise ValueError(
            f"layer must be the name of a layer of {net.name!r}. Received: {layer!r}. "
            f"Its layers are: {listed(names, most=40)}."
        )
    calls = [
        outputs
        for operation, _, outputs in keras_internals.operations(functional)
        if operation.name == layer
    ]
    if len(calls) > 1:
        raise ValueError(
            f"layer must be called once in {net.name!r}. Received: {layer!r}, which is "
            f"called {len(calls)} times, so that its output is not one."
        )
    inputs = functional.input
    # An input layer is no operation: its output is the input itself.
    output = calls[0] if calls else functional.get_layer(layer).output
    if isinstance(output, list | tuple) and len(output) == 1:
        output = output[0]
    return keras.Model(inputs, output, name=f"{net.name}_{layer}")
