"""What a checkpoint keeps of Keras callbacks, and how they get it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

# Keras changes the sign of this attribute anew in each process.
_NOT_KEPT = ("min_delta",)

Groups = dict[str, list[keras.Variable]]


def callback_state(
    callbacks: Sequence[keras.callbacks.Callback], begun: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], Groups]:
    """What callbacks have changed of themselves: numbers, text, and lists of arrays.

    `EarlyStopping` changes its best score and counts epochs; its best weights are a
    list of arrays. What a constructor was told stays as it is and is not kept.

    Args:
        callbacks: The callbacks of a training run.
        begun: What `restore_callbacks` returned.

    Returns:
        For each callback a dict that JSON can hold; and the arrays as groups of
        variables, for `save_checkpoint`. The dict of a callback has the name of its
        class under "class", and the shapes and dtypes of its arrays under "arrays".
    """
    states, groups = [], {}
    for place, (callback, first) in enumerate(zip(callbacks, begun, strict=True)):
        values = {
            k: v for k, v in _plain(callback).items() if first.get(k, _plain) != v
        }
        arrays = {name: v for name, v in vars(callback).items() if _is_arrays(v)}
        specs = {
            name: [(a.shape, a.dtype.name) for a in v] for name, v in arrays.items()
        }
        for name, each in arrays.items():
            groups[_group(place, name)] = [_variable(a) for a in each]
        kind = type(callback).__name__
        states.append(
            {"class": kind, "place": place, "arrays": specs, "values": values}
        )
    return states, groups


def restore_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
    states: list[dict[str, Any]],
    read: Callable[[Groups], Any],
) -> list[dict[str, Any]]:
    """Gives callbacks what a checkpoint has kept of callbacks of the same class.

    Args:
        callbacks: The callbacks, after their `on_train_begin`.
        states: The dicts that `callback_state` returned; the first one of a class is
            for the first callback of that class, and so on.
        read: A function that reads groups of variables from the checkpoint.

    Returns:
        The attributes of each callback before it got any, for `callback_state`.
    """
    begun = [_plain(callback) for callback in callbacks]
    if states and "class" not in states[0]:  # Of version 0.2: values by place.
        for callback, values in zip(callbacks, states, strict=False):
            vars(callback).update(values)
        return begun
    kept = {
        _key(states, i): state for i, state in enumerate(states) if "class" in state
    }
    kinds = [{"class": type(callback).__name__} for callback in callbacks]
    for i, callback in enumerate(callbacks):
        state = kept.get(_key(kinds, i))
        if state is None:
            continue
        vars(callback).update(state["values"])
        for name, specs in state["arrays"].items():
            arrays = [_variable(np.zeros(shape, dtype)) for shape, dtype in specs]
            read({_group(state["place"], name): arrays})
            setattr(callback, name, [variable.numpy() for variable in arrays])
    return begun


def _key(states: Sequence[dict[str, Any]], i: int) -> tuple[Any, int]:
    """The class of a callback, and its number among those of its class."""
    kinds = [state.get("class") for state in states]
    return kinds[i], Counter(kinds[:i])[kinds[i]]


def _plain(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The attributes that are numbers or text."""
    values = {}
    for name, value in vars(callback).items():
        if isinstance(value, np.generic):
            value = value.item()
        plain = value is None or isinstance(value, bool | int | float | str)
        if plain and name not in _NOT_KEPT:
            values[name] = value
    return values


def _is_arrays(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, np.ndarray) for each in value)
    )


def _group(place: int, name: str) -> str:
    return f"callback{place}_{name}"


def _variable(array: np.ndarray) -> keras.Variable:
    return keras.Variable(array, dtype=array.dtype.name, trainable=False)
