"""Pictures of a data set in another size."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.sources.pool import Pool
from tfmeta.data.stores.fitted import FittedStore
from tfmeta.data.stores.memory import in_memory


def resized(
    pools: Pool | dict[str, Pool],
    *,
    size: int | None = None,
    channels: int | None = None,
) -> Pool | dict[str, Pool]:
    """Gives a pool's pictures a size and a number of channels, see `fit_image`.

    Args:
        pools: A pool of uint8 pictures, `(height, width, 1 or 3)`, or several by name.
        size: The new height and width; None leaves them.
        channels: 1 (grey) or 3 (colour); None leaves them.

    Returns:
        The same pools of the new pictures, in memory if the others are. From a store on
        disk the pictures are resized as they are drawn.

    Raises:
        ValueError: If the examples are no such pictures, or a number makes no sense.
    """
    check_fit(size=size, channels=channels)
    if size is None and channels is None:
        return pools
    if isinstance(pools, Pool):
        return _resized(pools, size, channels)
    return {part: _resized(pool, size, channels) for part, pool in pools.items()}


def _resized(pool: Pool, size: int | None, channels: int | None) -> Pool:
    store = pool.store
    if tf.nest.is_nested(store.dtype) or not is_picture(store.shape, store.dtype):
        raise ValueError(
            "image_size and channels need uint8 images (H, W, 1 or 3). Received: "
            f"examples of shape {store.shape} and dtype {store.dtype} in "
            f"{pool.name!r}. Leave out image_size and channels."
        )
    fitted = FittedStore(store, size=size, channels=channels)
    height, width, depth = fitted.shape
    return dataclasses.replace(
        pool,
        store=fitted if store.place == "disk" else in_memory(fitted),
        prepare=Preparation(pictures=PictureFormat(height, width, depth)),
    )


def check_fit(*, size: int | None, channels: int | None) -> None:
    """Raises ValueError where a size or a number of channels makes no sense."""
    if size is not None and size < 1:
        raise ValueError(f"image_size must be at least 1. Received: {size}.")
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 or 3. Received: {channels}.")
