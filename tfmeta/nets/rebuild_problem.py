"""Whether a net can be made again from its config."""

from __future__ import annotations

import json
from typing import Any

import keras

from tfmeta import keras_internals
from tfmeta.core.problems import listed
from tfmeta.json_files import to_json

_ADVICE = (
    "Put a class or function of its own in its place, decorate that with "
    "keras.saving.register_keras_serializable, and let a class return all its "
    "arguments from get_config."
)


def rebuild_problem(layer: keras.layers.Layer) -> str | None:
    """Tells why a net or learner cannot be made again from its config, if so.

    A run folder, a `.keras` file and a learner from scratch keep the config of a net,
    not the net. The config is turned into JSON and back as they do it; what is made
    from it must have weights of the same shapes.

    Args:
        layer: A built Keras net, layer or learner.

    Returns:
        None if it can be made again; else two sentences, the reason with the layer at
        fault, and the remedy.

    Example:
        >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> rebuild_problem(net) is None
        True
    """
    try:
        copy = _rebuilt(layer)
    except Exception as error:
        part, reason = _at_fault(layer) or (layer, error)
        return f"{_named(part)} cannot be made again ({_said(reason)}). {_ADVICE}"
    shapes, others = (
        [tuple(v.shape) for v in each.variables] for each in (layer, copy)
    )
    if shapes != others:
        return (
            f"{_named(layer)} is made again with other weights, of shapes "
            f"{listed(map(str, others)) or 'none'} in place of "
            f"{listed(map(str, shapes)) or 'none'}. {_ADVICE}"
        )
    return None


def _rebuilt(layer: keras.layers.Layer) -> Any:
    text = to_json(keras.saving.serialize_keras_object(layer))
    return keras.saving.deserialize_keras_object(json.loads(text))


def _at_fault(
    layer: keras.layers.Layer,
) -> tuple[keras.layers.Layer, Exception] | None:
    """The innermost layer that cannot be made again by itself, and why."""
    for part in reversed(keras_internals.descendants(layer)):
        try:
            _rebuilt(part)
        except Exception as error:
            return part, error
    return None


def _named(layer: keras.layers.Layer) -> str:
    return f"{layer.name!r} ({type(layer).__name__})"


def _said(error: Exception) -> str:
    """The first sentence of an error."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0].rstrip(".")
