"""Pictures of another store, in another size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.data.pictures.fit import fit_image
from tfmeta.data.stores.store import Store


class FittedStore(Store):
    """Gives the pictures of a store a size and a number of channels as they are drawn.

    Args:
        store: A store of uint8 pictures, `(height, width, 1 or 3)`.
        size: The new height and width; None leaves them.
        channels: 1 (grey) or 3 (colour); None leaves them. See `fit_image`.
    """

    def __init__(
        self, store: Store, *, size: int | None = None, channels: int | None = None
    ):
        self.place = store.place
        self._store, self._size, self._channels = store, size, channels

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one picture; see `Store.shape`."""
        height, width, channels = self._store.shape
        size = (height, width) if self._size is None else (self._size, self._size)
        return (*size, channels if self._channels is None else self._channels)

    @property
    def dtype(self) -> np.dtype:
        """uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._store)

    def problem(self) -> str | None:
        """What is wrong with the store below; see `Store.problem`."""
        return self._store.problem()

    def take(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks pictures up; see `Store.take`."""
        ids = tf.convert_to_tensor(ids)
        found = self._store.take(tf.reshape(ids, [-1]))
        fitted = fit_image(found, size=self._size, channels=self._channels)
        shape = tf.concat([tf.shape(ids), self.shape], 0)
        return tf.ensure_shape(
            tf.reshape(fitted, shape), ids.shape.concatenate(self.shape)
        )
