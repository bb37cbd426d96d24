"""The names that Keras keeps private and tfmeta cannot do without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any


def backend_before_import() -> str | None:
    """The backend that a Keras which failed to import has settled on, or None.

    TensorFlow imports Keras and swallows a failure, such as a backend that is not
    installed. Keras is then absent, but its choice stays in this module.
    """
    config = sys.modules.get("keras.src.backend.config")
    return None if config is None else config.backend()


def is_functional(net: Any) -> bool:
    """Whether a layer is a functional model, and of no subclass of one's own."""
    from keras.src.models import Functional

    return type(net) is Functional


def children(layer: Any) -> list[Any]:
    """The layers that a layer holds, of all kinds, itself left out."""
    return list(layer._layers)  # noqa: SLF001


def descendants(layer: Any) -> list[Any]:
    """A layer and all layers below it."""
    return list(layer._flatten_layers())  # noqa: SLF001


def loss_tracker(model: Any) -> Any:
    """The running mean that `fit` shows as `loss`."""
    return model._loss_tracker  # noqa: SLF001


def calls(optimizer: Any) -> Any:
    """How often an optimizer was applied; unlike `iterations` also while it gathers.

    Args:
        optimizer: A Keras optimizer, perhaps with `gradient_accumulation_steps`.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return inner._iterations  # noqa: SLF001


def operations(net: Any) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """The operations of a functional model, each after what it needs.

    Args:
        net: A built functional model, see `functional`.

    Yields:
        The operation, and the symbolic tensors it takes and gives. Input layers are
        left out.
    """
    depths = net._nodes_by_depth  # noqa: SLF001
    for depth in sorted(depths, reverse=True):
        for node in depths[depth]:
            if not node.is_input:
                yield node.operation, list(node.input_tensors), list(node.outputs)


def stored(variable: Any) -> Any:
    """The TensorFlow variable behind a Keras variable, whatever scope is open."""
    return variable._value  # noqa: SLF001


def functional(net: Any) -> Any:
    """The functional model that a net is, or keeps inside if it is sequential.

    Args:
        net: A Keras model.

    Returns:
        The model, or None for a net of a class of one's own.
    """
    import keras

    if isinstance(net, keras.Sequential):
        return getattr(net, "_functional", None)
    from keras.src.models import Functional

    return net if isinstance(net, Functional) else None
