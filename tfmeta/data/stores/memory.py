"""Examples in memory."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.nested import as_arrays, example_dtype, example_shape

_ALIGNED = 64  # TensorFlow reads memory that begins at a multiple of so many bytes.


class MemoryStore:
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

    def __init__(self, x: Any):
        self.x = as_arrays(x)

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

    def take(self, ids: tf.Tensor) -> Any:
        """Looks examples up; see `Store.take`."""
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, ids), self._tensors)

    @functools.cached_property
    def _tensors(self) -> Any:
        # Captured by the graph, not a constant inside it.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.nest.map_structure(as_tensor, self.x)


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array to be filled, which TensorFlow can read where it lies.

    Args:
        shape: Its shape.
        dtype: Its dtype.

    Returns:
        The array; what it holds is not defined.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(size + _ALIGNED, np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + size].view(dtype).reshape(shape)


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """An array as a tensor of the same memory, or a copy where that is not possible."""
    if readable_in_place(array):
        return tf.experimental.dlpack.from_dlpack(np.asarray(array).__dlpack__())
    return tf.convert_to_tensor(array)


def readable_in_place(array: np.ndarray) -> bool:
    """Whether TensorFlow can read an array where it lies."""
    plain = array.dtype.kind in "biuf" and array.dtype.isnative and array.size > 0
    apt = array.flags.c_contiguous and array.flags.writeable
    return plain and apt and array.ctypes.data % _ALIGNED == 0
