"""What the stores share that hold arrays."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.nested import example_dtype, example_shape
from tfmeta.data.stores.store import Store


class ArrayStore(Store):
    """Holds examples as arrays; abstract.

    Attributes:
        x: `(examples, ...)`, or a dict or a tuple of such arrays, all of one length.
    """

    x: Any

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

    @property
    def nbytes(self) -> int:
        """The bytes that all examples take in memory; see `Store.nbytes`."""
        return sum(map(_size, tf.nest.flatten(self.x)))


def _size(array: np.ndarray) -> int:
    texts = array.dtype.kind == "O"
    return array.nbytes + (sum(map(sys.getsizeof, array.flat)) if texts else 0)
