"""The paths of layers and variables inside a net, the same whenever it is made."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from tfmeta import keras_internals


def variable_paths(net: keras.Model) -> dict[str, keras.Variable]:
    """The variables of a net by their paths: the layers' names, then the variable's.

    Unlike Keras' paths, these paths do not begin with the net's name, and they are the
    same when the net is made again from its config.

    Args:
        net: A built Keras model.

    Returns:
        All variables of the net by paths such as "block1/kernel". If two variables
        have the same path, the second one's ends in "#2".

    Example:
        >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="a")])
        >>> list(variable_paths(net))
        ['a/kernel', 'a/bias']
    """
    found: dict[str, keras.Variable] = {}
    seen: set[int] = set()
    for place, layer in _inside(net):
        for variable in layer.variables:
            if id(variable) not in seen:
                seen.add(id(variable))
                path = f"{place}{variable.name}"
                twins = sum(other.split("#")[0] == path for other in found)
                found[f"{path}#{twins + 1}" if twins else path] = variable
    return found


def layer_paths(net: keras.Model) -> dict[str, keras.Layer]:
    """The layers inside a net that have weights, by their paths.

    Args:
        net: A built Keras model.

    Returns:
        The layers by paths such as "block1/block1_conv", those inside others too.
    """
    return {
        path.rstrip("/"): layer
        for path, layer in _inside(net)
        if path and layer.weights
    }


def is_within(part: str, path: str) -> bool:
    """Whether a path has the names of a part, whole and one after the other.

    Args:
        part: Names such as "block1" or "block1/kernel", which may stand anywhere in the
            path; with a "/" before them, they must be the whole path.
        path: A path inside a net.

    Example:
        >>> is_within("block1", "block1/kernel"), is_within("block1", "block10/kernel")
        (True, False)
    """
    if part.startswith("/"):
        return path == part[1:]
    return f"/{part.rstrip('/')}/" in f"/{path}/"


def _inside(layer: keras.Layer, prefix: str = "") -> Iterator[tuple[str, keras.Layer]]:
    """The layers below a layer and itself, each with its path and a slash."""
    for child in keras_internals.children(layer):
        yield from _inside(child, f"{prefix}{child.name}/")
    yield prefix, layer
