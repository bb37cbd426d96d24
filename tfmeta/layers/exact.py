"""Finds the operations in a net whose second derivatives are wrong or missing.

`tf.nn.moments` stops a gradient inside its variance, and all stock normalisation uses
it; TensorFlow treats the gradient of bilinear resizing as a constant. In both cases
TensorFlow reports nothing: the loss is right and the meta-gradient is not. Other
operations have no second derivative; TensorFlow raises an error for these, but only
once training has begun.

What is looked at is the graph of one call in training mode, so it makes no difference
whether an operation comes from a layer, from `keras.ops`, from a Lambda or from code of
one's own.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core import functional
from tfmeta.core.episode import Nest
from tfmeta.core.problems import Problem, listed, refuse

# What mends most nets, in the words of an error.
ADAPTABLE = (
    "take tfmeta.layers.adaptable(net), a copy with exact normalisation and with its "
    "random layers switched off"
)
_STOCK, _MOMENTS = "stock normalisation", "moments"
_SPECTRAL = "spectral normalisation"
_LABELS = "cross-entropy whose labels are computed by the net"
_TAKE_OUT = "take that out of the net"
_RESIZE = "use UpSampling2D(interpolation='nearest'), or resize in the data pipeline"
_REMEDIES = {
    _STOCK: ADAPTABLE,
    _MOMENTS: "take means and variances by keras.ops.mean and keras.ops.var",
    "softsign": "use another activation, such as tanh",
    "nearest resizing": _RESIZE,
    "bilinear resizing": _RESIZE,
    "bicubic resizing": _RESIZE,
    "antialiased or Lanczos resizing": _RESIZE,
    "crop_and_resize": "crop in the data pipeline",
    "an image transform": "transform images in the data pipeline",
    "cuDNN's recurrent kernel": "give the recurrent layers use_cudnn=False",
    "max-pooling with argmax": "use MaxPooling2D",
}
# Operations of TensorFlow whose gradient has no gradient, or a wrong one.
_WRONG = {
    "BlockLSTM": "block LSTM",
    "BlockLSTMV2": "block LSTM",
    "CTCLoss": "CTC loss",
    "CTCLossV2": "CTC loss",
    "CropAndResize": "crop_and_resize",
    "CudnnRNN": "cuDNN's recurrent kernel",
    "CudnnRNNV2": "cuDNN's recurrent kernel",
    "CudnnRNNV3": "cuDNN's recurrent kernel",
    "Dilation2D": "morphological dilation",
    "FractionalAvgPool": "fractional pooling",
    "FractionalMaxPool": "fractional pooling",
    "ImageProjectiveTransformV2": "an image transform",
    "ImageProjectiveTransformV3": "an image transform",
    "LRN": "local response normalisation",
    "MaxPoolWithArgmax": "max-pooling with argmax",
    "ResizeBicubic": "bicubic resizing",
    "ResizeBilinear": "bilinear resizing",
    "ResizeNearestNeighbor": "nearest resizing",
    "ScaleAndTranslate": "antialiased or Lanczos resizing",
    "Softsign": "softsign",
}

STOCK_NORMALISATION = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)


class InexactPart(NamedTuple):
    """An operation of a net whose second derivative is wrong or missing.

    Attributes:
        path: The names of the layers around the operation, such as "encoder/norm1";
            empty for an operation that stands in no layer.
        operation: What the operation is, such as "softsign".
    """

    path: str
    operation: str


def inexact_parts(net: keras.Layer, inputs: Nest = None) -> list[InexactPart]:
    """Lists the operations of a net that are wrong at second order.

    Only operations that depend on trainable weights are listed: bilinear resizing of
    the net's own input is harmless, and so is a frozen BatchNormalization. A
    `stop_gradient` of one's own counts as meant, unless it stops an input of a squared
    difference, as `tf.nn.moments` does. The gradient of a `tf.custom_gradient` is not
    looked into. SpectralNormalization is always listed.

    Args:
        net: A built Keras layer or model.
        inputs: The specs of its inputs, a nest of `tf.TensorSpec`; None to find them.

    Returns:
        The operations, each once for each layer.

    Raises:
        ValueError: If the net does not tell the shape of its inputs.
    """
    if inputs is None:
        inputs = functional.traits(net).inputs
    layers = keras_internals.descendants(net)
    named = {layer.name: layer for layer in layers if layer is not net}
    found = []
    for node, operation in _wrong_nodes(*_graph(net, inputs)):
        path = _path(node.name, named)
        inside = named.get(path[-1]) if path else net
        if operation == _MOMENTS and isinstance(inside, STOCK_NORMALISATION):
            operation = _STOCK
        found.append(InexactPart("/".join(path), operation))
    found += [
        InexactPart(layer.name, _SPECTRAL)
        for layer in layers
        if isinstance(layer, keras.layers.SpectralNormalization)
    ]
    return list(dict.fromkeys(found))


def second_order_problems(net: keras.Layer, inputs: Nest = None) -> list[Problem]:
    """The problem of a net at second order; an empty list if it has none.

    Args:
        net: A built Keras layer or model.
        inputs: As in `inexact_parts`.
    """
    places: dict[str, list[str]] = {}
    for path, operation in inexact_parts(net, inputs):
        places.setdefault(operation, []).append(path or "the net itself")
    if not places:
        return []
    found = [f"{operation} (in {listed(paths)})" for operation, paths in places.items()]
    fault = (
        "has operations whose second derivatives are wrong or missing: "
        f"{', '.join(found)}"
    )
    first_order = "take a first-order learner, such as MAML(net, first_order=True)"
    cures = tuple(dict.fromkeys(_REMEDIES.get(name, _TAKE_OUT) for name in places))
    return [Problem(fault, cures, first_order)]


def check_exact(net: keras.Layer) -> None:
    """Refuses a net whose second-order gradients would be wrong or missing.

    Args:
        net: A built Keras layer or model.

    Raises:
        ValueError: If there are such operations; the error names them, the layers
            around them, and what to do about each kind.
    """
    refuse(net.name, second_order_problems(net))


def _graph(net: keras.Layer, inputs: Nest) -> tuple[Any, set[str]]:
    """The graph of one call in training mode, and the names of its weights' nodes."""

    def run(params: Nest, state: Nest, x: Nest) -> Nest:
        return functional.call(net, params, state, x, training=True)

    groups = (net.trainable_variables, net.non_trainable_variables)
    specs = [[tf.TensorSpec(v.shape, v.dtype) for v in group] for group in groups]
    traced = tf.function(run, autograph=False).get_concrete_function(*specs, inputs)
    weights = traced.inputs[: len(net.trainable_variables)]
    return traced.graph.as_graph_def(), {tensor.op.name for tensor in weights}


def _wrong_nodes(graph: Any, weights: set[str]) -> Iterator[tuple[Any, str]]:
    """The nodes that are wrong and depend on weights, with what each is."""
    functions = {f.signature.name: f.node_def for f in graph.library.function}
    pending: list[tuple[Iterable[Any], set[str] | None]] = [(graph.node, weights)]
    while pending:
        nodes, moving = pending.pop()
        known = {node.name: node for node in nodes}
        for node in nodes:
            inputs = [name.split(":")[0] for name in node.input if name[0] != "^"]
            # All nodes of a function count as moving, as soon as one of its inputs is.
            if moving is not None:
                if moving.isdisjoint(inputs):
                    continue
                if node.op != "StopGradient":
                    moving.add(node.name)
            operation = _fault(node, inputs, known, moving)
            if operation:
                yield node, operation
            for name in _called(node):
                pending.append((functions.pop(name, []), None))


def _fault(
    node: Any, inputs: list[str], known: Mapping[str, Any], moving: set[str] | None
) -> str | None:
    """What is wrong with a node, or None."""
    if node.op == "SquaredDifference":
        stopped = any(n in known and known[n].op == "StopGradient" for n in inputs)
        return _MOMENTS if stopped else None
    if node.op == "SoftmaxCrossEntropyWithLogits":
        # Its first derivative for the logits counts the labels as constant.
        return _LABELS if moving is not None and inputs[1] in moving else None
    return _WRONG.get(node.op)


def _called(node: Any) -> Iterator[str]:
    """The names of the functions that a node calls, such as a loop's body."""
    for value in node.attr.values():
        yield from (f.name for f in (value.func, *value.list.func) if f.name)


def _path(node: str, names: Container[str]) -> list[str]:
    """The names of the layers around a node.

    Keras numbers the calls of a layer in its scope: "norm_1" for "norm".
    """
    found = []
    for scope in node.split("/")[:-1]:
        stem, _, number = scope.rpartition("_")
        name = stem if stem in names and number.isdigit() else scope
        found += [name] if name in names else []
    return found
