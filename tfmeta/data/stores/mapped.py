"""Arrays that stay in their file, mapped into memory."""

from __future__ import annotations

import functools
import math
import pathlib
import struct
import zipfile
from collections.abc import Callable
from typing import IO, Any

import numpy as np
import tensorflow as tf

from tfmeta.data.nested import example_dtype, example_shape
from tfmeta.data.stores.memory import as_tensor, readable_in_place

_LOCAL_HEAD = struct.Struct("<4s22x2H")  # A zip's member: mark, two lengths behind it.
_LOCAL_MARK = b"PK\3\4"


class MappedStore:
    """Reads examples out of mapped files as they are drawn.

    The system loads what is read and drops it when memory is short. Leave the file
    alone while the store is in use: what is written over it shows in the examples, and
    reading what was cut off ends the process. A file that is replaced by another of its
    name does no harm, since the store keeps the old one.

    Args:
        x: `(examples, ...)`, or a dict or a tuple of such arrays, all of one length, as
            `mapped_array` and `mapped_arrays` give them.

    Raises:
        ValueError: If an array holds other than numbers or truth values.

    Example:
        >>> import tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "x.npy")
        >>> np.save(path, np.arange(12).reshape(4, 3))
        >>> store = MappedStore(mapped_array(path))
        >>> len(store), store.shape, store.take(tf.constant([3, 0])).numpy().tolist()
        (4, (3,), [[9, 10, 11], [0, 1, 2]])
    """

    def __init__(self, x: Any):
        for leaf in tf.nest.flatten(x):
            if leaf.dtype.kind not in "biuf":
                raise ValueError(
                    "Mapped examples must be numbers or truth values. Received: dtype "
                    f"{leaf.dtype}. Keep them in memory."
                )
        self.x = x

    @property
    def shape(self) -> Any:
        """The shape of one example; see `Store.shape`."""
        return example_shape(self.x)

    @property
    def dtype(self) -> Any:
        """The dtype of examples; see `Store.dtype`."""
        return example_dtype(self.x)

    def __len__(self) -> int:
        """The number of examples."""
        return len(tf.nest.flatten(self.x)[0])

    @tf.autograph.experimental.do_not_convert
    def take(self, ids: tf.Tensor) -> Any:
        """Looks examples up; see `Store.take`.

        An array that begins in its file where TensorFlow can read it, as in a `.npy`,
        is read in the graph. Others, as most in an `.npz`, are read by NumPy.
        """
        return tf.nest.map_structure(lambda rows: rows(ids), self._rows)

    @functools.cached_property
    def _rows(self) -> Any:
        return tf.nest.map_structure(_rows_of, self.x)


def mapped_array(path: str | pathlib.Path) -> np.ndarray:
    """Maps the array of a `.npy` file into memory.

    Args:
        path: What `np.save` wrote.

    Returns:
        The array. Changes to it are not written to the file.

    Raises:
        ValueError: If the file is missing or cut short, or if the array is in Fortran's
            order, big-endian or of Python objects.
    """
    path = pathlib.Path(path)
    with _opened(path) as file:
        return _mapped(path, str(path), file, path.stat().st_size)


def mapped_arrays(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Maps all arrays of an uncompressed `.npz` file into memory.

    Checksums are not compared, since that would read the whole file.

    Args:
        path: What `np.savez` wrote.

    Returns:
        The arrays by name. Changes to them are not written to the file.

    Raises:
        ValueError: If the file is missing, damaged or compressed, or for an array that
            `mapped_array` refuses.
    """
    path, arrays = pathlib.Path(path), {}
    with _opened(path) as file:
        try:
            members = zipfile.ZipFile(file).infolist()
        except (zipfile.BadZipFile, OSError) as error:
            raise ValueError(
                f"{str(path)!r} must be a whole .npz file. Received: {error}. Restore "
                "it from a copy, or write it with np.savez."
            ) from error
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(
                    f"Only uncompressed arrays can be mapped, but {name!r} in "
                    f"{str(path)!r} is compressed. Write the file with np.savez, or "
                    "read it into memory."
                )
            what = f"{name!r} in {str(path)!r}"
            end = _seek_member(file, member, what) + member.file_size
            arrays[name] = _mapped(path, what, file, end)
    return arrays


def _rows_of(array: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function that looks rows of an array up by their ids."""
    if readable_in_place(array):
        # Captured by the graph, not a constant inside it.
        with tf.init_scope(), tf.device("CPU:0"):
            tensor = as_tensor(array)
        return lambda ids: tf.gather(tensor, ids)

    def by_numpy(ids: tf.Tensor) -> tf.Tensor:
        rows = tf.numpy_function(array.__getitem__, [ids], array.dtype, stateful=False)
        return tf.ensure_shape(rows, (*ids.shape, *array.shape[1:]))

    return by_numpy


def _opened(path: pathlib.Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise ValueError(
            f"{str(path)!r} must be a file that can be read. Received: "
            f"{error.strerror}. Give the path of another."
        ) from error


def _seek_member(file: IO[bytes], member: zipfile.ZipInfo, what: str) -> int:
    """Returns the place where a zip's member begins, and goes there."""
    file.seek(member.header_offset)
    head = file.read(_LOCAL_HEAD.size)
    if len(head) < _LOCAL_HEAD.size or not head.startswith(_LOCAL_MARK):
        raise ValueError(_damaged(what))
    _, *behind = _LOCAL_HEAD.unpack(head)
    return file.seek(sum(behind), 1)


def _mapped(path: pathlib.Path, what: str, file: IO[bytes], end: int) -> np.ndarray:
    """Returns the array from here in a file, whose data must end at `end`."""
    try:
        read = _HEADERS[np.lib.format.read_magic(file)]
        shape, fortran, dtype = read(file)
    except (KeyError, ValueError) as error:
        raise ValueError(_damaged(what)) from error
    reason = (
        "it holds Python objects or fields" * (dtype.hasobject or dtype.kind == "V")
        or "it is big-endian" * (not dtype.isnative)
        or "it is in Fortran's order" * (fortran and len(shape) > 1)
    )
    if reason:
        raise ValueError(
            f"{what} cannot be mapped: {reason}. Write it anew as plain numbers, "
            "np.ascontiguousarray(x, x.dtype.newbyteorder('=')), or read it into "
            "memory."
        )
    start, size = file.tell(), math.prod(shape) * dtype.itemsize
    if start + size != end or end > path.stat().st_size:
        raise ValueError(_damaged(what))
    if not size:  # Nothing cannot be mapped.
        return np.empty(shape, dtype)
    return np.asarray(np.memmap(file, dtype, "c", start, shape))


def _damaged(what: str) -> str:
    return (
        f"{what} must be a whole array as np.save or np.savez writes it. Received: one "
        "that is damaged or cut short. Restore it from a copy."
    )


_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
