"""Copies of nets in which what keeps a learner from taking them is replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core import functional
from tfmeta.core.problems import listed
from tfmeta.layers.batch_norm import BatchNorm
from tfmeta.layers.exact import check_exact
from tfmeta.layers.group_norm import GroupNorm
from tfmeta.layers.layer_norm import LayerNorm

_TWINS = {
    keras.layers.BatchNormalization: (BatchNorm, ("momentum", "axis")),
    keras.layers.LayerNormalization: (LayerNorm, ("axis",)),
    keras.layers.GroupNormalization: (GroupNorm, ("groups", "axis")),
}
_SHARED_OPTIONS = ("name", "trainable", "dtype", "epsilon", "center", "scale")
# The options that make a layer random, for layers whose other options may be so named.
_RANDOM_OPTIONS = {
    "AlphaDropout": "rate",
    "DropBlock": "rate",
    "Dropout": "rate",
    "GaussianDropout": "rate",
    "GaussianNoise": "stddev",
    "SpatialDropout1D": "rate",
    "SpatialDropout2D": "rate",
    "SpatialDropout3D": "rate",
}


def adaptable(net: keras.Model) -> keras.Model:
    """Clones `net` into one that every learner takes, in every normalisation mode.

    Stock normalisation becomes exact, as `swap_inexact` does it. Random layers such as
    Dropout stay in their places with a rate of zero, and so do the dropout options of
    recurrent and attention layers: learners that adapt would run them when served, and
    `tfmeta.data` augments training examples instead. All weights are copied, so the
    answers outside of training stay the same. `net` itself is left alone.

    Args:
        net: A built functional or sequential Keras model.

    Returns:
        A new model of the same weights and outputs.

    Raises:
        ValueError: As `swap_inexact` does, and if a layer stays random, such as a layer
            that augments images.

    Example:
        >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5),
        ...     keras.layers.Dense(3), keras.layers.BatchNormalization()])
        >>> [type(layer).__name__ for layer in adaptable(net).layers]
        ['Dropout', 'Dense', 'BatchNorm']
    """
    _check_cloneable("adaptable", net)
    copy = _swapped(net, random=False)
    random = [f"{each.name} ({type(each).__name__})" for each in random_layers(copy)]
    if random:
        raise ValueError(
            "adaptable takes dropout and noise out of a net, but no other random "
            f"layers. Received: {net.name!r} with {listed(random)}. Take these out, "
            "and augment examples in the data pipeline."
        )
    check_exact(copy)
    return copy


def swap_inexact(net: keras.Model) -> keras.Model:
    """Clones `net` with stock normalisation replaced by tfmeta's exact layers.

    Batch, layer and group normalisation become `BatchNorm`, `LayerNorm` and
    `GroupNorm` of the same name and options, in nested models too. All weights
    are copied; moving statistics arrive with weight 1, so inference is the
    same as before. Random layers stay as they are; see `adaptable`. `net` itself is
    left alone.

    Args:
        net: A built functional or sequential Keras model.

    Returns:
        A new model of the same weights and outputs.

    Raises:
        ValueError: If `net` is not functional or sequential, is not built, holds
            an inexact operation that has no exact twin, or holds stock normalisation
            with options that ours lacks.
    """
    _check_cloneable("swap_inexact", net)
    swapped = _swapped(net, random=True)
    check_exact(swapped)
    return swapped


def random_layers(net: keras.Model) -> list[keras.Layer]:
    """The layers of a net that draw random numbers in training.

    Args:
        net: A built Keras model.
    """
    moving = functional.traits(net).moving
    seeds = {
        id(variable)
        for variable, moves in zip(net.non_trainable_variables, moving, strict=True)
        if moves and not tf.as_dtype(variable.dtype).is_floating
    }
    owners = {  # Of a layer and those inside of it, the innermost stays.
        id(variable): layer
        for layer in keras_internals.descendants(net)
        for variable in layer.variables
        if id(variable) in seeds
    }
    return list(dict.fromkeys(owners.values()))


def _check_cloneable(caller: str, net: keras.Model) -> None:
    if not _cloneable(net) or not net.built:
        raise ValueError(
            f"{caller} needs a built functional or sequential Keras model. "
            f"Received: {type(net).__name__} {net.name!r}. Build it first, or use "
            "tfmeta.layers.BatchNorm, LayerNorm and GroupNorm in your own class."
        )


def _swapped(net: keras.Model, *, random: bool) -> keras.Model:
    """Clones a net with exact normalisation, with or without its random layers."""
    copies: list[tuple[keras.Layer, keras.Layer]] = []

    def clone(layer: keras.Layer) -> keras.Layer:
        if _cloneable(layer):
            return _clone_model(layer, clone)
        copy = _exact_twin(layer) or _same(layer, random=random)
        if isinstance(layer, keras.Layer):  # Operations hold no weights.
            copies.append((layer, copy))
        return copy

    swapped = _clone_model(net, clone)
    for old, new in copies:
        new.set_weights(_weights_for(new, old))
    return swapped


def _cloneable(layer: keras.Layer) -> bool:
    return type(layer) is keras.Sequential or keras_internals.is_functional(layer)


def _clone_model(
    model: keras.Model, clone: Callable[[keras.Layer], keras.Layer]
) -> keras.Model:
    copy = keras.models.clone_model(model, clone_function=clone)
    copy.name = model.name
    copy.trainable = model.trainable
    return copy


def _same(layer: keras.Layer, *, random: bool) -> keras.Layer:
    config = layer.get_config()
    if not random:
        config = _calm({"class_name": type(layer).__name__, "config": config})["config"]
    return layer.__class__.from_config(config)


def _calm(node: Any, random_option: str | None = None) -> Any:
    """A config whose layers, those inside of wrappers too, drop nothing."""
    if isinstance(node, list | tuple):
        return type(node)(_calm(each) for each in node)
    if not isinstance(node, dict):
        return node
    inner = _RANDOM_OPTIONS.get(str(node.get("class_name")))
    options = ("dropout", "recurrent_dropout", random_option)
    return {
        name: 0.0
        if name in options and isinstance(value, int | float)
        else _calm(value, inner if name == "config" else None)
        for name, value in node.items()
    }


def _exact_twin(layer: keras.Layer) -> keras.Layer | None:
    """The exact layer in place of stock normalisation; None for other layers."""
    for stock, (exact, options) in _TWINS.items():
        if isinstance(layer, stock):
            _refuse_unknown_options(layer)
            config = layer.get_config()
            return exact(**{k: config[k] for k in (*_SHARED_OPTIONS, *options)})
    return None


def _refuse_unknown_options(layer: keras.Layer) -> None:
    config = layer.get_config()
    lacking = ["renorm", "synchronized"] + [
        f"{weight}_{kind}"
        for weight in ("gamma", "beta")
        for kind in ("regularizer", "constraint")
    ]
    used = [option for option in lacking if config.get(option)]
    if used:
        raise ValueError(
            f"An exact twin has no {', '.join(used)}. Received: {layer.name!r} with "
            "it. Take the option out before calling swap_inexact."
        )


def _weights_for(new: keras.Layer, old: keras.Layer) -> list[Any]:
    weights = old.get_weights()
    if isinstance(new, BatchNorm) and not isinstance(old, BatchNorm):
        weights.append(np.ones([]))
    return weights
