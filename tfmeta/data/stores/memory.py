"""Examples in memory."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.nested import as_arrays
from tfmeta.data.stores.array_store import ArrayStore
from tfmeta.data.stores.store import Store

_NUMBERS = "iuf"
_CHUNK = 1024  # Examples that are copied at once.
_ALIGNED = 64  # TensorFlow reads memory that begins at a multiple of so many bytes.


class MemoryStore(ArrayStore):
    """Holds examples as arrays, which TensorFlow reads where they lie.

    Args:
        x: `(examples, ...)`, or a dict or a tuple of such arrays, all of one length.
            The arrays are not copied if their memory is as TensorFlow needs it, so
            leave them unchanged.

    Example:
        >>> store = MemoryStore(np.arange(12).reshape(4, 3))
        >>> len(store), store.shape, store.take(tf.constant([3, 0])).numpy().tolist()
        (4, (3,), [[9, 10, 11], [0, 1, 2]])
    """

    place = "memory"

    def __init__(self, x: Any):
        self.x = tf.nest.map_structure(_in_place, as_arrays(x))

    def take(self, ids: tf.Tensor) -> Any:
        """Looks examples up; see `Store.take`."""
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, ids), self._tensors)

    def read(self, ids: np.ndarray) -> Any:
        """Looks examples up as NumPy arrays; see `Store.read`."""
        return tf.nest.map_structure(lambda leaf: leaf[ids], self.x)

    @functools.cached_property
    def _tensors(self) -> Any:
        # Captured by the graph, not a constant inside it.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.nest.map_structure(as_tensor, self.x)


def in_memory(store: Store) -> MemoryStore:
    """Reads another store's examples into memory, a few at a time.

    Args:
        store: A store of lone arrays, not of nests.

    Returns:
        A store of the same examples.
    """
    x = aligned((len(store), *store.shape), store.dtype)
    for start in range(0, len(x), _CHUNK):
        ids = np.arange(start, min(start + _CHUNK, len(x)))
        x[start : start + _CHUNK] = store.read(ids)
    return MemoryStore(x)


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array to be filled, which TensorFlow can read where it lies.

    Args:
        shape: Its shape.
        dtype: Its dtype.

    Returns:
        The array; what it holds is not defined.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNED, np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + size].view(dtype).reshape(shape)


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """An array as a tensor of the same memory, or of a copy if that is not possible.

    Args:
        array: Numbers, bools or texts.

    Returns:
        The tensor, on the CPU.
    """
    if _shareable(array) and array.flags.writeable and array.size:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.convert_to_tensor(array)


def _in_place(array: np.ndarray) -> np.ndarray:
    """Copies numbers to memory that TensorFlow can read where it lies, once."""
    if array.dtype.kind not in _NUMBERS or not array.ndim or _shareable(array):
        return array
    copy = aligned(array.shape, array.dtype.newbyteorder("="))
    copy[...] = array
    return copy


def _shareable(array: np.ndarray) -> bool:
    native = array.dtype.kind in _NUMBERS and array.dtype.isnative
    placed = array.flags.c_contiguous and array.ctypes.data % _ALIGNED == 0
    return native and placed
