"""A NumPy archive as a source."""

from __future__ import annotations

import pathlib

import numpy as np

from tfmeta.data.source import Source
from tfmeta.data.sources.arrays import Arrays, from_arrays
from tfmeta.data.sources.class_lists import PARTS, ClassSplit
from tfmeta.npz_files import read_npz, reason

_EXPECTED = (
    "the arrays x and y, or train_x, train_y, val_x, val_y, test_x and test_y, each "
    "with class_names if wanted; for regression tasks, or train_tasks and so on, too"
)
# What a file of np.save begins with.
_BARE = b"\x93NUMPY"


def from_npz(
    path: str | pathlib.Path,
    *,
    split: ClassSplit | None = None,
    rotations: bool = False,
    seed: int = 0,
) -> Source:
    """Reads a source from a file that `np.savez` or `np.savez_compressed` wrote.

    Args:
        path: The file. It holds `x` `(examples, *example_shape)` and `y` `(examples,)`,
            or `train_x`, `train_y`, `val_x`, `val_y`, `test_x`, `test_y`; and, if
            wanted, `class_names`. For regression it also holds `tasks` `(examples,)`,
            or `train_tasks`, `val_tasks` and `test_tasks`. See `from_arrays` for what
            they mean.
        split: See `from_arrays`; left out where the file has three splits.
        rotations: Whether images turned by 90, 180 and 270 degrees are classes too.
        seed: Another seed takes other classes where `split` are fractions.

    Returns:
        The three class-disjoint splits.

    Raises:
        ValueError: Where the file is missing, broken or lacks an array.
    """
    arrays = _read(pathlib.Path(path))
    names = arrays.get("class_names")
    x: Arrays
    y: Arrays
    tasks: Arrays | None = arrays.get("tasks")
    if {"x", "y"} <= arrays.keys():
        x, y = arrays["x"], arrays["y"]
    else:
        missing = [f"{p}_{k}" for p in PARTS for k in "xy" if f"{p}_{k}" not in arrays]
        if missing:
            raise ValueError(
                f"{str(path)!r} must hold {_EXPECTED}. Received: "
                f"{', '.join(sorted(arrays)) or 'nothing'}."
            )
        x, y = ([arrays[f"{part}_{key}"] for part in PARTS] for key in "xy")
        if {f"{part}_tasks" for part in PARTS} <= arrays.keys():
            tasks = [arrays[f"{part}_tasks"] for part in PARTS]
    try:
        return from_arrays(
            x,
            y,
            tasks=tasks,
            class_names=None if names is None else [str(n) for n in names],
            split=split,
            rotations=rotations,
            seed=seed,
            name=f"npz:{path}",
        )
    except ValueError as error:
        raise ValueError(f"{str(path)!r}: {error}") from error


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the file's arrays."""
    if not path.is_file():
        raise ValueError(
            f"There is no file {str(path)!r}. Give the path of an .npz file that holds "
            f"{_EXPECTED}."
        )
    try:
        with path.open("rb") as file:
            bare = file.read(len(_BARE)) == _BARE
        arrays = {} if bare else read_npz(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is not a readable .npz file ({reason(error)}). Restore "
            f"it from a copy, or write it with np.savez, with {_EXPECTED}; arrays of "
            "Python objects are not read."
        ) from error
    if bare:
        raise ValueError(
            f"{str(path)!r} holds one bare array. Write it with np.savez, with "
            f"{_EXPECTED}."
        )
    return arrays
