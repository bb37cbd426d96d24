"""What a checkpoint keeps of Keras callbacks, and how they get it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

# Keras changes the sign of this attribute anew in each process.
_NOT_KEPT = ("min_delta",)

Groups = dict[str, list[keras.Variable]]


def callback_state(
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[list[dict[str, Any]], Groups]:
    """The attributes of callbacks that are numbers, text, or lists of arrays.

    `EarlyStopping` keeps its best score and its patience as numbers, and the best
    weights as a list of arrays.

    Args:
        callbacks: The callbacks of a training run.

    Returns:
        For each callback a dict that JSON can hold; and the arrays as groups of
        variables, for `save_checkpoint`. The dict of a callback has the shapes and
        dtypes of its arrays under "arrays".
    """
    states, groups = [], {}
    for place, callback in enumerate(callbacks):
        values: dict[str, Any] = {"arrays": {}}
        for name, value in vars(callback).items():
            if isinstance(value, np.generic):
                value = value.item()
            if _plain(value) and name not in _NOT_KEPT:
                values[name] = value
            elif _arrays(value):
                values["arrays"][name] = [(a.shape, a.dtype.name) for a in value]
                groups[_group(place, name)] = [_variable(a) for a in value]
        states.append(values)
    return states, groups


def restore_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
    states: list[dict[str, Any]],
    read: Callable[[Groups], Any],
) -> None:
    """Gives callbacks the attributes that a checkpoint has kept of them.

    Args:
        callbacks: The callbacks, after their `on_train_begin`.
        states: The dicts that `callback_state` returned.
        read: A function that reads groups of variables from the checkpoint.
    """
    for place, (callback, state) in enumerate(zip(callbacks, states, strict=False)):
        values = {name: value for name, value in state.items() if name != "arrays"}
        vars(callback).update(values)
        for name, specs in state.get("arrays", {}).items():
            kept = [_variable(np.zeros(shape, dtype)) for shape, dtype in specs]
            read({_group(place, name): kept})
            setattr(callback, name, [variable.numpy() for variable in kept])


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _arrays(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, np.ndarray) for each in value)
    )


def _group(place: int, name: str) -> str:
    return f"callback{place}_{name}"


def _variable(array: np.ndarray) -> keras.Variable:
    return keras.Variable(array, dtype=array.dtype.name, trainable=False)
