"""Which of a net's weights adapt, and the part of the net that does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta import keras_internals
from tfmeta.core.paths import is_within, variable_paths
from tfmeta.core.problems import listed

AdaptOnly = str | Sequence[str] | Callable[[str], bool]


def chosen_to_adapt(net: keras.Model, adapt_only: AdaptOnly | None) -> list[bool]:
    """Finds which of a net's trainable variables adapt to a task.

    Args:
        net: A built Keras model.
        adapt_only: One or several parts of the variables' paths inside the net, such as
            "head" or "block1/kernel". A part matches whole names, so "block1" does not
            match "block10"; a part that begins with "/" must be the whole path. A
            function of a path, which returns a bool, may stand in place of the parts.
            None chooses all variables.

    Returns:
        A bool for each of `net.trainable_variables`.

    Raises:
        ValueError: If `adapt_only` matches no variable, or every variable; the error
            lists the first paths.

    Example:
        >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="a"),
        ...                         keras.layers.Dense(1, name="head")])
        >>> chosen_to_adapt(net, "head")
        [False, False, True, True]
    """
    paths = paths_inside(net)
    if adapt_only is None:
        return [True] * len(paths)
    if callable(adapt_only):
        chosen = [bool(adapt_only(path)) for path in paths]
    else:
        parts = (adapt_only,) if isinstance(adapt_only, str) else tuple(adapt_only)
        chosen = [any(is_within(part, path) for part in parts) for path in paths]
    if all(chosen) or not any(chosen):
        raise ValueError(
            f"adapt_only must match some of the net's weights and not all. Received: "
            f"{adapt_only!r}, which matches {'all' if all(chosen) else 'none'} of: "
            f"{listed(paths, most=20)}."
        )
    return chosen


def paths_inside(net: keras.Model) -> list[str]:
    """The paths of a net's trainable variables: the layers' names, then the variable's.

    Unlike Keras' paths, these paths do not begin with the net's name, and they are the
    same when the net is made again from its config.

    Args:
        net: A built Keras model.

    Returns:
        A path for each of `net.trainable_variables`, such as "block1/kernel".
    """
    paths = {id(variable): path for path, variable in variable_paths(net).items()}
    return [paths[id(variable)] for variable in net.trainable_variables]


def split_net(
    net: keras.Model, adapts: Sequence[bool]
) -> tuple[keras.Model | None, keras.Model | None]:
    """Splits a net into a fixed part and the rest, which holds all that adapts.

    Args:
        net: A built Keras model.
        adapts: For each of `net.trainable_variables`, whether it adapts.

    Returns:
        Two models that share the net's layers: the fixed part, and the rest, which
        takes the outputs of the fixed part. The fixed part is None if the net begins
        with weights that adapt, or cannot be cut: it is a subclassed model, or uses a
        layer on both sides of the cut. The rest is None if nothing adapts; the fixed
        part is then the whole net.
    """
    if not any(adapts):
        return net, None
    functional = keras_internals.functional(net)
    if functional is None or all(adapts):
        return None, net
    adapting = {
        id(v)
        for v, adapted in zip(net.trainable_variables, adapts, strict=True)
        if adapted
    }
    moving: set[int] = set()  # Tensors that differ from step to step.
    fixed: set[int] = set()  # Outputs of operations, the same in every step.
    needed: dict[int, Any] = {}  # Fixed tensors that the adapting part takes.
    sides: dict[int, set[bool]] = {}  # The sides of the cut that use an operation.
    for operation, inputs, outputs in keras_internals.operations(functional):
        own = {id(v) for v in getattr(operation, "trainable_variables", [])}
        moves = bool(own & adapting) or any(id(t) in moving for t in inputs)
        sides.setdefault(id(operation), set()).add(moves)
        (moving if moves else fixed).update(id(t) for t in outputs)
        if moves:
            needed.update((id(t), t) for t in inputs if id(t) not in moving)
    ends = tf.nest.flatten(functional.output)
    needed.update((id(t), t) for t in ends if id(t) not in moving)
    if not fixed & needed.keys() or any(len(side) > 1 for side in sides.values()):
        return None, net
    cut = list(needed.values())
    outputs = tf.nest.map_structure(
        lambda t: t if id(t) in moving else keras.layers.Identity()(t),
        functional.output,
    )
    return (
        keras.Model(functional.input, cut, name=f"{net.name}_fixed"),
        keras.Model(cut, outputs, name=f"{net.name}_adapting"),
    )
