"""Sizes and channels of uint8 images."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfmeta.data.nested import array_shape
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.source import Source
from tfmeta.data.split import Split

_CHUNK = 4096  # images resized at once: what bounds the float copy


def fit_image(
    image: tf.Tensor | np.ndarray,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
) -> tf.Tensor:
    """Gives images a size and a number of channels.

    Resizing averages over areas, so thin strokes fade instead of breaking up.

    Args:
        image: uint8, `(H, W, C)` or `(images, H, W, C)`, C 1 or 3.
        size: Height and width to resize to, one number for both or a pair; None leaves
            them.
        channels: 1 or 3; None leaves them. Colour becomes its luminance.

    Returns:
        uint8 images.

    Example:
        >>> fit_image(tf.zeros((8, 8, 3), tf.uint8), size=4, channels=1).shape
        TensorShape([4, 4, 1])
    """
    image = tf.convert_to_tensor(image)
    if channels == 1 and image.shape[-1] == 3:
        image = tf.image.rgb_to_grayscale(image)
    if channels == 3 and image.shape[-1] == 1:
        image = tf.image.grayscale_to_rgb(image)
    size = (size, size) if isinstance(size, int) else size
    if size is not None and image.shape[-3:-1] != size:
        single = image.shape.rank == 3
        batch = image[tf.newaxis] if single else image
        batch = tf.image.resize(batch, size, method="area")
        batch = tf.cast(tf.round(batch), tf.uint8)
        image = batch[0] if single else batch
    return image


def fit_source(
    source: Source, *, size: int | None = None, channels: int | None = None
) -> Source:
    """Gives a source's images a size and a number of channels, see `fit_image`.

    Raises:
        ValueError: Where the examples are not uint8 images of 1 or 3 channels.
    """
    check_fit(size=size, channels=channels)
    if size is None and channels is None:
        return source
    shape, dtype = array_shape(source.train) or (), source.train.dtype
    if not is_picture(shape, dtype):
        raise ValueError(
            "image_size and channels need uint8 images (H, W, 1 or 3). Received: "
            f"examples of shape {source.train.example_shape} and dtype {dtype} in "
            f"{source.name!r}. Leave both out."
        )

    def fitted(split: Split) -> Split:
        chunks = [split.x[i : i + _CHUNK] for i in range(0, len(split.x), _CHUNK)]
        with tf.device("CPU:0"):
            done = [
                fit_image(tf.constant(chunk), size=size, channels=channels).numpy()
                for chunk in chunks or [split.x]
            ]
        return dataclasses.replace(split, x=np.concatenate(done))

    train, val, test = (fitted(s) for s in (source.train, source.val, source.test))
    return Source(source.name, train, val, test)


def check_fit(*, size: int | None, channels: int | None) -> None:
    """Raises ValueError where a size or a number of channels makes no sense."""
    if size is not None and size < 1:
        raise ValueError(f"image_size must be at least 1. Received: {size}.")
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 or 3. Received: {channels}.")
