"""Sizes and channels of uint8 images."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


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
    size = (size, size) if isinstance(size, int) else size
    if size is not None and image.shape[-3:-1] != size:
        single = image.shape.rank == 3
        batch = image[tf.newaxis] if single else image
        # What `tf.image.resize` does, without the nodes that look at the sizes.
        batch = tf.raw_ops.ResizeArea(images=batch, size=size)
        batch = tf.cast(tf.round(batch), tf.uint8)
        image = batch[0] if single else batch
    # Of the smaller image there are fewer pixels to turn grey.
    if channels == 1 and image.shape[-1] == 3:
        image = tf.image.rgb_to_grayscale(image)
    if channels == 3 and image.shape[-1] == 1:
        image = tf.image.grayscale_to_rgb(image)
    return image
