"""Layers of a net that training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfmeta.core.paths import is_within, layer_paths
from tfmeta.core.problems import listed


def freeze(net: keras.Model, layers: str | Sequence[str]) -> list[str]:
    """Sets layers of a net to `trainable = False`, as for fine-tuning the others.

    A frozen layer keeps its weights. A frozen normalisation also uses its moving
    averages in training, and leaves them as they are.

    Args:
        net: A built Keras model, which is changed in place.
        layers: The names of one or several layers. A layer inside another one is
            named by its path, such as "block1/block1_conv", or by an end of it. Naming
            a layer freezes all that is inside.

    Returns:
        The paths of all layers with weights that are frozen now.

    Raises:
        ValueError: If a name is that of no layer with weights, or if all weights would
            be frozen. Then nothing is changed.

    Example:
        >>> from tfmeta.nets import mlp
        >>> net = mlp(outputs=5, units=(8, 8))
        >>> freeze(net, "hidden1"), len(net.trainable_variables)
        (['hidden1'], 4)
    """
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    paths = layer_paths(net)
    chosen = {name: [path for path in paths if is_within(name, path)] for name in names}
    unknown = [name for name, found in chosen.items() if not found]
    if unknown or not names:
        raise ValueError(
            f"Each name must be that of a layer of {net.name!r} that has weights. "
            f"Received: {listed(map(repr, unknown)) or 'no names'}. The layers are: "
            f"{listed(paths, most=40)}."
        )
    frozen = list(dict.fromkeys(path for found in chosen.values() for path in found))
    kept = {id(v) for path in frozen for v in paths[path].variables}
    if all(id(v) in kept for v in net.trainable_variables):
        raise ValueError(
            f"Some weights of {net.name!r} must stay to be trained. Received: "
            f"{listed(map(repr, names))}, which freezes all of them. Name fewer layers."
        )
    for path in frozen:
        paths[path].trainable = False
    return [path for path, layer in paths.items() if not layer.trainable]
