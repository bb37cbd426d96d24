"""Checkpoints: all numbers of a training run in one file, replaced in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmeta.npz_files import read_npz, reason, write_npz

_STATE = "state_json"


def save_checkpoint(
    path: Path, variables: dict[str, list[keras.Variable]], state: dict[str, Any]
) -> None:
    """Writes variables and state into a file, whole or not at all.

    If the process is killed before the file is complete, the old file stays as it was.

    Args:
        path: The file, `*.npz`.
        variables: Groups of variables by name, such as `learner` and `optimizer`.
        state: The rest of the checkpoint, a dict that JSON can hold.

    Raises:
        OSError: If the folder cannot be written.
    """
    arrays: dict[str, Any] = {
        f"{group}/{place:04d}": np.asarray(variable.value)
        for group, members in variables.items()
        for place, variable in enumerate(members)
    }
    write_npz(path, {**arrays, _STATE: np.array(json.dumps(state))})


def load_checkpoint(
    path: Path, variables: dict[str, list[keras.Variable]]
) -> dict[str, Any]:
    """Reads the values of variables into them, and returns the state.

    Args:
        path: The file that `save_checkpoint` wrote.
        variables: The groups to read by name; the file may hold other groups too.

    Returns:
        The state that `save_checkpoint` was given.

    Raises:
        ValueError: If the file is broken or holds other variables. Then no variable is
            changed.
    """
    try:
        arrays = read_npz(path)
        state = json.loads(str(arrays[_STATE]))
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole checkpoint of tfmeta ({reason(error)}). "
            "Restore it from a copy, or delete it to start over."
        ) from error
    found = {
        group: [arrays[n] for n in sorted(arrays) if n.startswith(f"{group}/")]
        for group in variables
    }
    for group, members in variables.items():
        shapes = [a.shape for a in found[group]]
        wanted = [tuple(v.shape) for v in members]
        if shapes != wanted:
            raise ValueError(
                f"{path} holds other {group} variables than this model: it has "
                f"{len(shapes)} of them, the model {len(wanted)}, and their shapes "
                "must agree. Use the flags the run was started with."
            )
    for group, members in variables.items():
        for variable, array in zip(members, found[group], strict=True):
            variable.assign(array)
    return state
