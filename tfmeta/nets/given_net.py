"""What a user gives to a learner as its net."""

from __future__ import annotations

import warnings
from typing import Any

import keras

from tfmeta import keras_internals
from tfmeta.core.problems import Problem, kind_of, refuse

_PROBABILITIES = ("softmax", "log_softmax", "sigmoid")
_OPERATIONS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "Identity": "linear",
    "Cast": "linear",
}
_HEADS = ("head", "logits", "predictions", "classifier")  # Names of last layers.


def check_net(net: Any, owner: str) -> None:
    """Refuses what is no net, such as the function that makes one.

    Args:
        net: What a learner is given.
        owner: The name of the learner's class.

    Raises:
        ValueError: If it is no Keras layer, or a learner or a `MetaModel`.
    """
    layer = isinstance(net, keras.layers.Layer)
    if layer and not hasattr(net, "learner") and not hasattr(net, "meta_gradients"):
        return
    advice = "Build one, such as tfmeta.nets.conv4()."
    if callable(net) and not layer:
        advice = "Call it, and give what it returns."
    elif layer:
        advice = "Give the net alone."
    raise ValueError(
        f"{owner} takes a net, which is a built Keras model. Received: {kind_of(net)}. "
        f"{advice}"
    )


def check_logits(net: keras.Model, *, instead: str) -> None:
    """Refuses a net that ends in probabilities where its outputs must be logits.

    Args:
        net: A built Keras model.
        instead: What the caller may do in place of changing the net.

    Raises:
        ValueError: If the net's last operation is a softmax or a sigmoid.
    """
    last = last_activation(net)
    if last in _PROBABILITIES:
        cure = "let it end in a linear layer, such as keras.layers.Dense(way)"
        fault = f"ends in {last}, but the loss of classes takes logits"
        refuse(net.name, [Problem(fault, (cure,), instead)])


def check_embeds(net: keras.Model, owner: str, *, instead: str = "") -> None:
    """Refuses a classifier where a net must embed; warns if one is only suspected.

    Args:
        net: A built Keras model.
        owner: The name of the learner's class.
        instead: What the caller may do in place of changing the net.

    Raises:
        ValueError: If the net's last operation is a softmax.

    Warns:
        UserWarning: If the last layer is linear and has the name of a classifier's.
    """
    last = last_activation(net)
    cure = "cut its end off, as by keras.Model(net.inputs, net.layers[-2].output)"
    if last in ("softmax", "log_softmax"):
        fault = f"ends in {last}, as a classifier does, but {owner} needs an embedding"
        refuse(net.name, [Problem(fault, (cure,), instead)])
    ended = keras_internals.functional(net)
    layer = None if ended is None else ended.layers[-1]
    if isinstance(layer, keras.layers.Dense) and layer.name in _HEADS:
        warnings.warn(
            f"The net {net.name!r} ends in the layer {layer.name!r}, as a classifier "
            f"does, but {owner} needs an embedding. Leave that layer out, as way=None "
            "does in tfmeta.nets; if it embeds, give it another name.",
            stacklevel=4,
        )


def last_activation(net: keras.Model) -> str | None:
    """The name of the activation that a net ends in, such as "softmax".

    Args:
        net: A built Keras model.

    Returns:
        The name in lower case; None where the net ends otherwise or cannot be looked
        into.

    Example:
        >>> net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu")])
        >>> last_activation(net)
        'relu'
    """
    functional = keras_internals.functional(net)
    if functional is None or not isinstance(functional.output, keras.KerasTensor):
        return None
    makers = {
        id(t): (operation, inputs)
        for operation, inputs, outputs in keras_internals.operations(functional)
        for t in outputs
    }
    last = functional.output
    while id(last) in makers:
        operation, inputs = makers[id(last)]
        if isinstance(operation, keras.Model):
            return last_activation(operation)
        name = _activation(operation)
        passes = name == "linear" and len(inputs) == 1
        if not passes or getattr(operation, "weights", []):
            return None if name == "linear" else name
        (last,) = inputs
    return None


def _activation(operation: Any) -> str | None:
    """The name of a layer's activation, or of an operation that is one."""
    function = getattr(operation, "activation", None)
    if function is not None:
        return str(getattr(function, "__name__", type(function).__name__)).lower()
    return _OPERATIONS.get(type(operation).__name__)
