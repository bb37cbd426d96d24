"""Arrays in `.npz` files that are whole or not there."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

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


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays; whoever is killed meanwhile keeps the old file.

    The file is written under another name, forced to the disk, and renamed.

    Args:
        path: The file, `*.npz`.
        arrays: The arrays by name.

    Raises:
        OSError: If the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(arrays))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file.

    Args:
        path: What `write_npz` wrote.

    Returns:
        The arrays by name.

    Raises:
        ValueError: If the file is broken.
    """
    try:
        # NumPy leaves a file open that it cannot read.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except _BROKEN as error:
        raise ValueError(
            f"{path} is not a whole .npz file ({error or 'cut short'}). Restore it "
            "from a copy."
        ) from error
