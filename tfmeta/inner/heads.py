"""The last layer: the net's own, or a linear one made for each task."""

from __future__ import annotations

import abc
import warnings
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core.episode import Nest, Tensor
from tfmeta.ops import class_means, count_ways


class Head(abc.ABC):
    """What turns a body's outputs into logits; abstract.

    Attributes:
        name: What the head is called where it is given as text.
        made: Whether it is made for each task, and so serves any number of classes.
    """

    name: ClassVar[str]
    made: ClassVar[bool] = True

    def shapes(self, features: int) -> list[tuple[int | None, ...]]:
        """The shapes of its parameters on so many features; None for the way."""
        return [(features, None), (None,)]

    def way(self, features: int, y: Tensor) -> Any:
        """How many classes the logits of a task have.

        Args:
            features: The size of the body's outputs.
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
            Its parameters; none where the net has the head.
        """

    def logits(self, z: Nest, params: list[Tensor]) -> Nest:
        """The logits of examples.

        Args:
            z: The body's outputs, `(examples, features)`.
            params: What `start` returned, or those after some steps.

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
        """None: the head is part of the net."""
        return []

    def way(self, features, y):
        """As many as the net has outputs."""
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
        Differs from the paper: does not.
    """

    name = "prototypes"

    def start(self, z, y):
        """Kernel `(features, way)` and bias `(way,)`; see `Head.start`."""
        means = class_means(z, y, count_ways(y))
        return [2.0 * tf.transpose(means), -tf.reduce_sum(means**2, -1)]


class ZeroHead(Head):
    """A linear layer of zeros, without an opinion before the first step."""

    name = "zeros"

    def start(self, z, y):
        """Kernel `(features, way)` and bias `(way,)`; see `Head.start`."""
        way = count_ways(y)
        return [tf.zeros((z.shape[-1], way), z.dtype), tf.zeros((way,), z.dtype)]


HEADS = {head.name: head for head in (OwnHead(), PrototypeHead(), ZeroHead())}


def as_head(head: str | None, net: keras.Model, *, made: str = "prototypes") -> Head:
    """Reads what a learner was told of its head.

    Args:
        head: "net", "prototypes" or "zeros"; None: "net" if the net's outputs are
            logits, see `gives_logits`, else the head that is made.
        net: The net.
        made: The head to make where the net has none.

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

    They are if the net's last operation with weights is a Dense layer without an
    activation, and only linear activations and casts follow. A model in last place is
    looked into. The outputs of a net of a class of one's own, which cannot be looked
    into, count as logits, with a warning.

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
    """Whether an operation is Dense, or an activation, and linear; or a cast."""
    if type(operation).__name__ in ("Cast", "Identity"):
        return True
    layers = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Activation)
    linear = getattr(operation, "activation", None) is keras.activations.linear
    return isinstance(operation, layers) and linear
