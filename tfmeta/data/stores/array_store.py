"""What the stores share that hold arrays."""

from __future__ import annotations

from typing import Any

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
