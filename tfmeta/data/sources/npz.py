"""A NumPy archive as a source."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfmeta.data.source import Source
from tfmeta.data.sources.arrays import Arrays, array_pools
from tfmeta.data.sources.class_lists import PARTS, ClassSplit
from tfmeta.data.sources.pool import Pool, divide
from tfmeta.data.sources.rotations import turned
from tfmeta.data.stores.choice import AUTO, on_disk
from tfmeta.data.stores.mapped import (
    MappedStore,
    NotMappable,
    mappable,
    mapped_arrays,
)
from tfmeta.data.stores.memory import MemoryStore, aligned
from tfmeta.data.stores.store import Store
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
    disjoint: str | None = None,
    store: str = AUTO,
    prepare: Any = None,
) -> Source:
    """Reads a source from a file that `np.savez` or `np.savez_compressed` wrote.

    Args:
        path: The file. It holds `x` `(examples, *example_shape)` and `y` `(examples,)`,
            or `train_x`, `train_y`, `val_x`, `val_y`, `test_x`, `test_y`; and, if
            wanted, `class_names`. For regression it also holds `tasks` `(examples,)`,
            or `train_tasks`, `val_tasks` and `test_tasks`. See `from_arrays` for what
            they mean. A folder may take the file's place, with each array in a file of
            `np.save`, such as `x.npy`.
        split: See `from_arrays`; left out where the file has three splits.
        rotations: Whether images turned by 90, 180 and 270 degrees are classes too.
        seed: Another seed takes other classes where `split` are fractions.
        disjoint: See `from_arrays`.
        store: "memory", or "disk" to map the examples into memory as they are drawn;
            for the latter `np.savez` must have written the file. "auto" maps what is
            larger than 2 GB and can be mapped.
        prepare: See `from_arrays`.

    Returns:
        The source.

    Raises:
        ValueError: If the file is missing, broken or lacks an array, or if it cannot be
            mapped.
    """
    with naming(path):
        pools = npz_pools(path, store=store, prepare=prepare)
        source = divide(pools, split, seed=seed, disjoint=disjoint)
        return turned(source) if rotations else source


def npz_pools(
    path: str | pathlib.Path, *, store: str = AUTO, prepare: Any = None
) -> Pool | dict[str, Pool]:
    """Reads the examples of an archive; the arguments are those of `from_npz`.

    Returns:
        All examples; or those of each part, if the file has three.
    """
    path = pathlib.Path(path)
    arrays, stored = _read(path, store)
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
    return array_pools(
        x,
        y,
        tasks=tasks,
        class_names=None if names is None else [str(n) for n in names],
        name=f"npz:{path}",
        stored=stored,
        prepare=prepare,
    )


@contextlib.contextmanager
def naming(path: str | pathlib.Path) -> Iterator[None]:
    """Puts the path of a file before each ValueError that its content causes."""
    try:
        yield
    except ValueError as error:
        if repr(str(path)) in str(error):
            raise
        raise ValueError(f"{str(path)!r}: {error}") from error


def _read(
    path: pathlib.Path, store: str
) -> tuple[dict[str, np.ndarray], Callable[[Any], Store]]:
    """Returns the file's arrays, and what makes a store of the examples."""
    if not path.exists():
        raise ValueError(
            f"There is no file {str(path)!r}. Give the path of an .npz file that holds "
            f"{_EXPECTED}."
        )
    if path.is_file() and _begins(path, _BARE):
        raise ValueError(
            f"{str(path)!r} holds one bare array. Write it with np.savez, with "
            f"{_EXPECTED}."
        )
    try:
        nbytes, possible = mappable(path)
        if on_disk(store, nbytes, possible=possible):
            return mapped_arrays(path), MappedStore
        if path.is_dir():
            return mapped_arrays(path), MemoryStore
        return read_npz(path, new=aligned), MemoryStore
    except NotMappable:
        raise
    # A damaged file makes zipfile and NumPy raise errors of many kinds.
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} is not a readable .npz file ({reason(error)}). Restore "
            f"it from a copy, or write it with np.savez, with {_EXPECTED}; arrays of "
            "Python objects are not read, but array.astype(str) is."
        ) from error


def _begins(path: pathlib.Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start
