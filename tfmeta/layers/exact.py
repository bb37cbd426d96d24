"""Finds stock Keras layers whose second derivatives are wrong, and swaps them.

Stock normalisation stops a gradient inside its variance, spectral normalisation
treats its power iteration as constant, and bilinear resizing has no second
derivative. None of them says so: the loss is right and the meta-gradient is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from tfmeta import keras_internals
from tfmeta.layers.batch_norm import BatchNorm
from tfmeta.layers.group_norm import GroupNorm
from tfmeta.layers.layer_norm import LayerNorm

_STOCK = {
    keras.layers.BatchNormalization: (BatchNorm, ("momentum", "axis")),
    keras.layers.LayerNormalization: (LayerNorm, ("axis",)),
    keras.layers.GroupNormalization: (GroupNorm, ("groups", "axis")),
}
_SHARED_OPTIONS = ("name", "trainable", "dtype", "epsilon", "center", "scale")
_RESIZERS = (keras.layers.UpSampling2D, keras.layers.Resizing)


def inexact_layers(net: keras.Layer) -> list[tuple[str, str]]:
    """Lists the layers of `net` that are wrong at second order.

    Looks through nested models, wrappers and layers held by layers. A
    BatchNormalization with `trainable=False` uses constants only and is not
    listed. Lambda layers and code of one's own cannot be seen into.

    Args:
        net: a built or unbuilt Keras layer or model.

    Returns:
        Pairs of the layer's path from `net` ("encoder/norm1") and its class name.
    """
    return [
        (path, type(layer).__name__) for path, layer in _walk(net) if _inexact(layer)
    ]


def check_exact(net: keras.Layer) -> None:
    """Refuses a net whose second-order gradients would be silently wrong.

    Args:
        net: a Keras layer or model.

    Raises:
        ValueError: naming the layers at fault and what to do about each kind.
    """
    found = inexact_layers(net)
    if not found:
        return
    names = ", ".join(f"{path} ({kind})" for path, kind in found)
    stock = {kind.__name__ for kind in _STOCK}
    remedies = []
    if any(kind in stock for _, kind in found):
        remedies.append(
            "replace the normalisation by tfmeta.layers.swap_inexact(net), which "
            "keeps the weights"
        )
    if any(kind == "SpectralNormalization" for _, kind in found):
        remedies.append("take out SpectralNormalization")
    if any(kind in {c.__name__ for c in _RESIZERS} for _, kind in found):
        remedies.append(
            "use UpSampling2D(interpolation='nearest'), or resize in the data pipeline"
        )
    raise ValueError(
        "Second-order gradients need layers whose second derivatives are right. "
        f"Received a net with: {names}. Either {'; '.join(remedies)}; or use a "
        "first-order learner."
    )


def swap_inexact(net: keras.Model) -> keras.Model:
    """Clones `net` with stock normalisation replaced by tfmeta's exact layers.

    Batch, layer and group normalisation become `BatchNorm`, `LayerNorm` and
    `GroupNorm` of the same name and options, in nested models too. All weights
    are copied; moving statistics arrive with weight 1, so inference is the
    same as before. `net` itself is left alone.

    Args:
        net: a built functional or sequential Keras model.

    Returns:
        A new model of the same weights and outputs.

    Raises:
        ValueError: if `net` is not functional or sequential, is not built, holds
            an inexact layer that has no exact twin, or holds stock normalisation
            with options that ours lacks.
    """
    if not _cloneable(net) or not net.built:
        raise ValueError(
            "swap_inexact needs a built functional or sequential Keras model. "
            f"Received: {type(net).__name__} {net.name!r}. Build it first, or use "
            "tfmeta.layers.BatchNorm, LayerNorm and GroupNorm in your own class."
        )
    copies: list[tuple[keras.Layer, keras.Layer]] = []

    def clone(layer: keras.Layer) -> keras.Layer:
        if _cloneable(layer):
            copy = _clone_model(layer, clone)
        else:
            copy = _exact_twin(layer) if _inexact(layer) else _same(layer)
            if isinstance(layer, keras.Layer):  # Operations hold no weights.
                copies.append((layer, copy))
        return copy

    swapped = _clone_model(net, clone)
    for old, new in copies:
        new.set_weights(_weights_for(new, old))
    check_exact(swapped)
    return swapped


def _walk(layer: keras.Layer, path: str = "") -> Iterator[tuple[str, keras.Layer]]:
    yield path or layer.name, layer
    for child in keras_internals.children(layer):
        yield from _walk(child, f"{path}/{child.name}" if path else child.name)


def _inexact(layer: keras.Layer) -> bool:
    if isinstance(layer, _RESIZERS):
        return layer.interpolation == "bilinear"
    if isinstance(layer, keras.layers.BatchNormalization) and not layer.trainable:
        return False
    return isinstance(layer, (*_STOCK, keras.layers.SpectralNormalization))


def _cloneable(layer: keras.Layer) -> bool:
    return type(layer) is keras.Sequential or keras_internals.is_functional(layer)


def _clone_model(
    model: keras.Model, clone: Callable[[keras.Layer], keras.Layer]
) -> keras.Model:
    copy = keras.models.clone_model(model, clone_function=clone)
    copy.name = model.name
    copy.trainable = model.trainable
    return copy


def _same(layer: keras.Layer) -> keras.Layer:
    return layer.__class__.from_config(layer.get_config())


def _exact_twin(layer: keras.Layer) -> keras.Layer:
    for stock, (exact, options) in _STOCK.items():
        if isinstance(layer, stock):
            _refuse_unknown_options(layer)
            config = layer.get_config()
            return exact(**{k: config[k] for k in (*_SHARED_OPTIONS, *options)})
    return _same(layer)


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
