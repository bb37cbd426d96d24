"""All of a training run's numbers in one file, replaced in one step."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

_STATE = "state_json"
# What NumPy and zipfile raise on a file that was cut or overwritten.
_BROKEN = (
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_checkpoint(
    path: Path, variables: dict[str, list[keras.Variable]], state: dict[str, Any]
) -> None:
    """Writes variables and state; whoever is killed meanwhile keeps the old file.

    The file is written under another name, forced to the disk, and renamed.

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
    arrays[_STATE] = np.array(json.dumps(state))
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


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
        # NumPy leaves a file open that it cannot read.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            state = json.loads(str(file[_STATE]))
            found = {
                group: [
                    file[name]
                    for name in sorted(file.files)
                    if name.startswith(f"{group}/")
                ]
                for group in variables
            }
    except _BROKEN as error:
        raise ValueError(
            f"{path} is not a whole checkpoint of tfmeta ({error or 'cut short'}). "
            "Restore it from a copy, or delete it to start over."
        ) from error
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
