"""Square pictures of another store, turned by quarters."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.data.stores.store import Store


class TurnedStore(Store):
    """Presents each picture of a store four times, turned as it is drawn.

    With n pictures in the store, ids `0..n-1` are the pictures as they are, and ids
    `r * n..(r + 1) * n - 1` are the pictures turned counter-clockwise by `r * 90`
    degrees, for `r` up to 3.

    Args:
        store: A store of square pictures, `(size, size, channels)`.

    Example:
        >>> from tfmeta.data.stores.memory import MemoryStore
        >>> store = TurnedStore(MemoryStore(np.uint8([[[[1], [2]], [[3], [4]]]])))
        >>> store.take(tf.constant(1))[..., 0].numpy().tolist()
        [[2, 4], [1, 3]]
    """

    def __init__(self, store: Store):
        self.place, self._store = store.place, store

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one picture; see `Store.shape`."""
        shape: tuple[int, ...] = self._store.shape
        return shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of pictures; see `Store.dtype`."""
        dtype: np.dtype = self._store.dtype
        return dtype

    def __len__(self) -> int:
        """The number of pictures, each turning counted."""
        return 4 * len(self._store)

    @property
    def nbytes(self) -> int:
        """The bytes of the pictures that are not turned."""
        return self._store.nbytes

    def problem(self) -> str | None:
        """What is wrong with the store below; see `Store.problem`."""
        return self._store.problem()

    def take(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks pictures up; see `Store.take`."""
        ids = tf.convert_to_tensor(ids)
        size, _, channels = self.shape
        found = self._store.take(ids % len(self._store))
        quarters = tf.reshape(ids // len(self._store), [-1])
        first = tf.range(tf.size(quarters, tf.int64))[:, tf.newaxis] * (size * size)
        # One gather from all pixels is the fastest of five ways that were timed.
        places = first + tf.gather(tf.constant(_places(size)), quarters)
        turned = tf.gather(tf.reshape(found, [-1, channels]), places)
        return tf.ensure_shape(tf.reshape(turned, tf.shape(found)), found.shape)


def _places(size: int) -> np.ndarray:
    """The place of each pixel before turning, `(4, size * size)`."""
    places = np.arange(size * size, dtype=np.int64).reshape(size, size)
    return np.stack([np.rot90(places, r).reshape(-1) for r in range(4)])
