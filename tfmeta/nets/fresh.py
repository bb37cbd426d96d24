"""The same net with newly drawn weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


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
    """
    draws = np.random.default_rng(seed)
    config = _with_seeds(keras.saving.serialize_keras_object(net), draws)
    copy = keras.saving.deserialize_keras_object(config)
    if not copy.built:
        copy.build(net.input_shape)
    return copy


def _with_seeds(node: Any, draws: np.random.Generator) -> Any:
    if isinstance(node, dict):
        return {
            key: int(draws.integers(2**31 - 1))
            if key == "seed" and value is None
            else _with_seeds(value, draws)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return type(node)(_with_seeds(value, draws) for value in node)
    return node
