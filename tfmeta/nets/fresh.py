"""The same net with newly drawn weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras

from tfmeta.core import keys
from tfmeta.nets.rebuild_problem import rebuild_problem


def fresh(net: keras.Model, *, seed: int) -> keras.Model:
    """Makes a net of the same architecture whose weights come from a seed.

    Every initializer and dropout layer in the net's config that has no seed of its
    own gets one derived from `seed` and its place, so the weights depend on nothing
    else: not on Keras' global seed, nor on what was built before.

    Args:
        net: A Keras model whose config rebuilds it.
        seed: Any integer of at least 0.

    Returns:
        A new, built model.

    Raises:
        ValueError: If the net cannot be made again; the error names the layer at fault.
    """
    places = itertools.count()
    problem = rebuild_problem(net)
    if problem is not None:
        raise ValueError(f"A fresh net is made from a net's config. {problem}")
    config = _with_seeds(keras.saving.serialize_keras_object(net), seed, places)
    copy = keras.saving.deserialize_keras_object(config)
    if not copy.built:
        copy.build(net.input_shape)
    return copy


def _with_seeds(node: Any, seed: int, places: Iterator[int]) -> Any:
    """Fills the open seeds of a config, in its order."""
    if isinstance(node, dict):
        return {
            name: keys.integer(seed, "weights", next(places))
            if name == "seed" and value is None
            else _with_seeds(value, seed, places)
            for name, value in node.items()
        }
    if isinstance(node, list | tuple):
        return type(node)(_with_seeds(value, seed, places) for value in node)
    return node
