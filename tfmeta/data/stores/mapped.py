"""Arrays of files that are mapped into memory, and read as they are drawn."""

from __future__ import annotations

import functools
import pathlib
import struct
import zipfile
from typing import IO, Any

import numpy as np
import tensorflow as tf

from tfmeta.data.stores.array_store import ArrayStore

_ANEW = "Write it anew from np.ascontiguousarray(array)"
_LOCAL_HEADER, _SIZES_AT = 30, 26  # Of a zip file's part: bytes before its name.


class NotMappable(ValueError):
    """An array is whole, but is not stored as one that is drawn from the disk."""


class MappedStore(ArrayStore):
    """Holds examples as arrays that are mapped from a file.

    What is drawn is read from the file by the operating system, which keeps in memory
    what it has room for. The file must stay as it is while the store is used.

    Args:
        x: An array of `mapped_arrays`, `(examples, ...)`, or a dict or a tuple of such.
    """

    place = "disk"

    def __init__(self, x: Any):
        for leaf in tf.nest.flatten(x):
            if leaf.dtype.kind not in "biuf":
                raise ValueError(
                    "Examples that are drawn from the disk must be numbers. Received: "
                    f'dtype {leaf.dtype}. Use store="memory".'
                )
        self.x = x

    def take(self, ids: tf.Tensor) -> Any:
        """Looks examples up; see `Store.take`."""

        def rows(leaf: np.ndarray) -> tf.Tensor:
            read = functools.partial(_rows, leaf)
            found = tf.numpy_function(read, [ids], leaf.dtype, stateful=False)
            return tf.ensure_shape(found, ids.shape.concatenate(leaf.shape[1:]))

        return tf.nest.map_structure(rows, self.x)

    def read(self, ids: np.ndarray) -> Any:
        """Looks examples up as NumPy arrays; see `Store.read`."""
        return tf.nest.map_structure(functools.partial(_rows, ids=ids), self.x)


def _rows(leaf: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return np.asarray(leaf[ids], order="C")


def mapped_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Maps arrays into memory; none is read before it is used.

    Args:
        path: A file of `np.savez`; or a folder with a file of `np.save` for each array,
            such as `x.npy`.

    Returns:
        The arrays by name, which cannot be written to.

    Raises:
        NotMappable: If the file is compressed, or an array is not stored as it must be.
        ValueError: If the file is damaged.
    """
    if path.is_dir():
        files = sorted(path.glob("*.npy"))
        return {file.stem: _mapped(file, file.name) for file in files}
    with path.open("rb") as file, zipfile.ZipFile(file) as whole:
        arrays = {}
        for part in whole.infolist():
            if part.compress_type != zipfile.ZIP_STORED:
                raise NotMappable(
                    f"A file must not be compressed if its examples are drawn from the "
                    f"disk. Received: a compressed part {part.filename!r}. Write the "
                    'file with np.savez, or use store="memory".'
                )
            start = _content_of(file, part)
            name = part.filename.removesuffix(".npy")
            arrays[name] = _mapped(path, part.filename, start, start + part.file_size)
        return arrays


def mappable(path: pathlib.Path) -> tuple[int, bool]:
    """The size of the arrays in a file or folder, and whether they can be mapped.

    Args:
        path: What `mapped_arrays` takes, or a file of `np.savez_compressed`.

    Returns:
        The bytes that the arrays take in memory; and False for a compressed file.
    """
    if path.is_dir():
        return sum(file.stat().st_size for file in path.glob("*.npy")), True
    with zipfile.ZipFile(path) as whole:
        parts = whole.infolist()
    plain = all(part.compress_type == zipfile.ZIP_STORED for part in parts)
    return sum(part.file_size for part in parts), plain


def _content_of(file: IO[bytes], part: zipfile.ZipInfo) -> int:
    """The place in a zip file at which the content of a part begins."""
    file.seek(part.header_offset)
    header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or header[:4] != b"PK\3\4":
        raise ValueError(f"The part {part.filename!r} is cut short.")
    # The table at the file's end may have other extra bytes than the part itself.
    return (
        part.header_offset
        + _LOCAL_HEADER
        + sum(struct.unpack_from("<HH", header, _SIZES_AT))
    )


def _mapped(
    path: pathlib.Path, name: str, start: int = 0, end: int | None = None
) -> np.ndarray:
    """Maps the array that a file has from a place on, as `np.save` writes it."""
    with path.open("rb") as file:
        file.seek(start)
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
        first = file.tell()
        end = path.stat().st_size if end is None else end
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    problems = {
        "Python objects. Write an array of numbers or texts": dtype.hasobject,
        f"in the byte order of another machine, {dtype}. {_ANEW}": not dtype.isnative,
        f"in Fortran's order. {_ANEW}": fortran and len(shape) > 1,
    }
    for problem in (what for what, wrong in problems.items() if wrong):
        raise NotMappable(
            "An array that is drawn from the disk must hold numbers or texts in this "
            f"machine's byte order, in C's order. Received: {name!r}, {problem}."
        )
    if end - first < size:
        raise ValueError(f"The array {name!r} is cut short.")
    if not size:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", first, shape)
