"""Arrays in `.npz` files that are whole or not there."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import tensorflow as tf

from tfmeta.whole_files import replacing

# NumPy's files cannot name this dtype: it is written as integers of the same bits.
_BFLOAT16 = ":bfloat16"
# What the record at the end of a zip file begins with, and how long it can be.
_END, _END_AT_MOST = b"PK\5\6", 22 + 0xFFFF
_CHUNK = 1 << 20  # Bytes that are read at once.


def write_npz(
    path: Path, arrays: Mapping[str, np.ndarray], *, compressed: bool = False
) -> None:
    """Writes arrays into a file, whole or not at all.

    If the process is killed before the file is complete, the old file stays as it was.

    Args:
        path: The file, `*.npz`.
        arrays: The arrays by name, of NumPy's dtypes or of bfloat16.
        compressed: Whether to compress them.

    Raises:
        OSError: If the file cannot be written.
    """
    plain: dict[str, Any] = dict(_written(*item) for item in arrays.items())
    save = np.savez_compressed if compressed else np.savez
    with replacing(path) as file:
        save(file, allow_pickle=False, **plain)


def read_npz(
    path: Path, *, new: Callable[..., np.ndarray] = np.empty
) -> dict[str, np.ndarray]:
    """Reads all arrays of a file.

    The checksum of each array is compared before anything is read from it, so that a
    damaged file never gives other numbers.

    Args:
        path: What `write_npz`, `np.savez` or `np.savez_compressed` wrote.
        new: Makes an array of a shape and a dtype, into which numbers are read.

    Returns:
        The arrays by name.

    Raises:
        ValueError: If the file is damaged, or is no such file.
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            _check_whole(file)
            with np.load(file, allow_pickle=False) as stored:
                return dict(_read(name, stored, new) for name in stored.files)
        # A damaged file makes zipfile and NumPy raise errors of many kinds.
        except Exception as error:
            raise ValueError(
                f"{path} is not a whole .npz file ({reason(error)}). Restore it from a "
                "copy."
            ) from error


def reason(error: Exception) -> str:
    """Says in one line why a file could not be read.

    Args:
        error: What `read_npz` raised, or another error.

    Returns:
        The text of the error's cause, if there is one, else of the error.
    """
    return " ".join(str(error.__cause__ or error).split()) or "cut short"


def _check_whole(file: IO[bytes]) -> None:
    """Raises where a part is missing or does not have its checksum.

    NumPy would not see a damaged shape that takes fewer bytes, and zipfile does not see
    that a damaged entry of its table hides the next one.
    """
    with zipfile.ZipFile(file) as whole:
        damaged, found = whole.testzip(), len(whole.infolist())
    if damaged is not None:
        raise ValueError(f"its part {damaged} is damaged")
    file.seek(max(0, file.seek(0, os.SEEK_END) - _END_AT_MOST))
    end = file.read().rpartition(_END)[2]
    told = int.from_bytes(end[6:8], "little")
    if min(found, 0xFFFF) != told:
        raise ValueError(f"it has {found} parts in place of {told}")
    file.seek(0)


def _written(name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    if array.dtype == tf.bfloat16.as_numpy_dtype:
        return name + _BFLOAT16, array.view(np.uint16)
    return name, array


def _read(
    name: str, stored: Any, new: Callable[..., np.ndarray]
) -> tuple[str, np.ndarray]:
    array = _filled(name, stored, new)
    if array is None:
        array = stored[name]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"its part {name} is no array")
    if name.endswith(_BFLOAT16):
        return name.removesuffix(_BFLOAT16), array.view(tf.bfloat16.as_numpy_dtype)
    return name, array


def _filled(
    name: str, stored: Any, new: Callable[..., np.ndarray]
) -> np.ndarray | None:
    """Reads numbers in C's order into a new array; None leaves others to NumPy."""
    whole = f"{name}.npy"
    if whole not in stored.zip.namelist():
        return None
    with stored.zip.open(whole) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if fortran or dtype.kind not in "biuf":
            return None
        array = new(shape, dtype)
        rest = array.reshape(-1).view(np.uint8)
        while rest.size:
            chunk = np.frombuffer(file.read(min(rest.size, _CHUNK)), np.uint8)
            if not chunk.size:
                raise ValueError(f"its part {name} is cut short")
            rest[: chunk.size] = chunk
            rest = rest[chunk.size :]
    return array
