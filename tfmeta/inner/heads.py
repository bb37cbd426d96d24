"""The last layer: the net's own, or a linear one made for each task."""

from __future__ import annotations

import abc
import warnings
from typing import Any, ClassVar, Literal, TypeAlias

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core.episode import Nest, Tensor
from tfmeta.ops import class_means, count_ways

HeadName: TypeAlias = Literal["net", "prototypes", "zeros"]


class Head(abc.ABC):
    """The layer that turns a body's outputs into logits; abstract.

    Attributes:
        name: The text that stands for the head in the argument `head` of a learner.
        made: Whether the head is made for each task. Such a head serves any number of
            classes.
    """

    name: ClassVar[HeadName]
    made: ClassVar[bool] = True

    def shapes(self, features: int) -> list[tuple[int | None, ...]]:
        """The shapes of the head's parameters; None stands for the way."""
        return [(features, None), (None,)]

    def way(self, features: int, y: Tensor) -> Any:
        """The number of classes that the logits of a task have.

        Args:
            features: The size of the last axis of the body's outputs.
            y: `(examples,)` int32, the labels of the support set.
        """
        return count_ways(y)

    @abc.abstractmethod
    def start(self, z: Nest, y: Tensor) -> list[Tensor]:
        """The head's parameters before the first inner step.

        Args:
            z: The body's outputs on the support set, `(examples, features)`.
            y: `(examples,)` int32 labels.

        Returns:
            The head's parameters; an empty list where the head is part of the net.
        """

    def logits(self, z: Nest, params: list[Tensor]) -> Nest:
        """The logits of examples.

        Args:
            z: The body's outputs, `(examples, features)`.
            params: The parameters that `start` returned, or these after some steps.

        Returns:
            `(examples, way)`.
        """
        kernel, bias = params
        return tf.matmul(z, kernel) + bias


class OwnHead(Head):
    """The net's own last layer: its outputs are logits, or values."""

    name = "net"
    made = False

    def shapes(self, features):
        """No shapes: the head is part of the net; see `Head.shapes`."""
        return []

    def way(self, features, y):
        """The number of the net's outputs; see `Head.way`."""
        return features

    def start(self, z, y):
        """No parameters; see `Head.start`."""
        return []

    def logits(self, z, params):
        """The outputs as they are; see `Head.logits`."""
        return z


class PrototypeHead(Head):
    """A linear layer made from the class means of the support set.

    Its logits are the negative squared distances to the class means, up to a constant.

    Reference:
        E. Triantafillou et al., "Meta-Dataset: A Dataset of Datasets for Learning to
        Learn from Few Examples", ICLR 2020.
        Does not differ from the paper.
    """

    name = "prototypes"

    def start(self, z, y):
        """Kernel `(features, way)` and bias `(way,)`; see `Head.start`."""
        means = class_means(z, y, count_ways(y))
        return [2.0 * tf.transpose(means), -tf.reduce_sum(means**2, -1)]


class ZeroHead(Head):
    """A linear layer that starts at zero: all classes are equally likely at first."""

    name = "zeros"

    def start(self, z, y):
        """Kernel `(features, way)` and bias `(way,)`; see `Head.start`."""
        way = count_ways(y)
        return [tf.zeros((z.shape[-1], way), z.dtype), tf.zeros((way,), z.dtype)]


HEADS = {head.name: head for head in (OwnHead(), PrototypeHead(), ZeroHead())}


def as_head(
    head: HeadName | None, net: keras.Model, *, made: HeadName = "prototypes"
) -> Head:
    """Finds the head that the argument `head` of a learner asks for.

    Args:
        head: "net", "prototypes" or "zeros". None is "net" if the net's outputs are
            logits, see `gives_logits`, else `made`.
        net: A built Keras model.
        made: The name of the head for a net that embeds.

    Returns:
        The head.

    Raises:
        ValueError: If there is no such head.
    """
    if head is None:
        head = OwnHead.name if gives_logits(net) else made
    if head not in HEADS:
        raise ValueError(
            f"head must be one of {', '.join(HEADS)}, or None. Received: {head!r}."
        )
    return HEADS[head]


def gives_logits(net: keras.Model) -> bool:
    """Whether a net's outputs are logits (or values) rather than an embedding.

    The outputs are logits if the net's last operation with weights is a Dense layer
    without an activation, and only linear activations and casts follow. If the last
    operation is a model, that model is examined. Several outputs count as values. A
    subclassed net cannot be examined: its outputs count as logits, with a warning.

    Args:
        net: A built Keras model.
    """
    functional = keras_internals.functional(net)
    if functional is None:
        warnings.warn(
            f"The net {net.name!r} cannot be looked into, so its outputs count as "
            'logits. If it embeds, give the learner head="prototypes".',
            stacklevel=4,
        )
        return True
    last = functional.output
    if not isinstance(last, keras.KerasTensor):
        return True  # Several outputs are no embedding.
    makers = {
        id(t): (operation, inputs)
        for operation, inputs, outputs in keras_internals.operations(functional)
        for t in outputs
    }
    while id(last) in makers:
        operation, inputs = makers[id(last)]
        if isinstance(operation, keras.Model):
            return gives_logits(operation)
        if getattr(operation, "weights", []):
            return _linear(operation) and hasattr(operation, "kernel")
        if not _linear(operation) or len(inputs) != 1:
            return False
        (last,) = inputs
    return False


def _linear(operation: Any) -> bool:
    """Whether an operation is a cast, or a Dense or Activation layer that is linear."""
    if type(operation).__name__ in ("Cast", "Identity"):
        return True
    layers = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Activation)
    linear = getattr(operation, "activation", None) is keras.activations.linear
    return isinstance(operation, layers) and linear
