"""Pictures of another store, turned."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.data.stores.store import Store

_TURNS = 4


class TurnedStore:
    """Presents square pictures four times, turned, without holding them four times.

    Of a store of n pictures, the ids 0 to n-1 are the pictures as they are, n to 2n-1
    those turned by 90 degrees counter-clockwise, and so on by 180 and 270.

    Args:
        store: The store of the pictures, `(size, size, channels)`.

    Raises:
        ValueError: If the examples are not square pictures.

    Example:
        >>> import numpy as np
        >>> from tfmeta.data.stores.memory import MemoryStore
        >>> store = TurnedStore(MemoryStore(np.uint8([[[[1], [2]], [[3], [4]]]])))
        >>> len(store), store.take(tf.constant([1]))[0, ..., 0].numpy().tolist()
        (4, [[2, 4], [1, 3]])
    """

    def __init__(self, store: Store):
        shape = store.shape
        square = isinstance(shape, tuple) and len(shape) == 3 and shape[0] == shape[1]
        if not square:
            raise ValueError(
                "Only square pictures (size, size, channels) can be turned. Received: "
                f"examples of shape {shape}. Resize them or leave rotations out."
            )
        self.store = store

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one picture, `(size, size, channels)`."""
        return self.store.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the pictures; see `Store.dtype`."""
        return self.store.dtype

    def __len__(self) -> int:
        """The number of pictures with their turns."""
        return _TURNS * len(self.store)

    @tf.autograph.experimental.do_not_convert
    def take(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks pictures up; see `Store.take`."""
        flat, each = tf.reshape(ids, (-1,)), len(self.store)
        turns = tf.cast(flat // each, tf.int32)
        upright = self.store.take(flat % each)
        groups = tf.dynamic_partition(upright, turns, _TURNS)
        places = tf.dynamic_partition(tf.range(tf.size(flat)), turns, _TURNS)
        turned = [_turned(group, turn) for turn, group in enumerate(groups)]
        pictures = tf.dynamic_stitch(places, turned)
        pictures = tf.reshape(pictures, tf.concat([tf.shape(ids), self.shape], 0))
        return tf.ensure_shape(pictures, (*ids.shape, *self.shape))


def _turned(pictures: tf.Tensor, turn: int) -> tf.Tensor:
    """Turns pictures `(pictures, size, size, channels)` by so many right angles."""
    if turn % 2:
        pictures = tf.transpose(pictures, (0, 2, 1, 3))
    return tf.reverse(pictures, ([], [1], [1, 2], [2])[turn])
