"""All of a training run's numbers in one file, replaced in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmeta.npz_files import read_npz, write_npz

_STATE = "state_json"


def save_checkpoint(
    path: Path, variables: dict[str, list[keras.Variable]], state: dict[str, Any]
) -> None:
    """Writes variables and state; whoever is killed meanwhile keeps the old file.

    Args:
        path: The file, `*.npz`.
        variables: Groups of variables by name, such as `learner` and `optimizer`.
        state: Anything JSON holds.

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
    """Reads variables in place.

    Args:
        path: What `save_checkpoint` wrote.
        variables: The groups to read; others in the file are left alone.

    Returns:
        The state.

    Raises:
        ValueError: If the file is broken or holds other variables; none is changed.
    """
    try:
        arrays = read_npz(path)
        state = json.loads(str(arrays[_STATE]))
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole checkpoint of tfmeta ({error}). Restore it from a "
            "copy, or delete it to start over."
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
