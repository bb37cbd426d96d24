"""Pictures that TensorFlow does not decode, by Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tensorflow as tf


def check_pillow() -> None:
    """Raises ImportError, with what to install, where Pillow is missing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Some of the pictures, such as WebP and TIFF, need Pillow to be read. "
            "Install the extra 'data': pip install \"tfmeta[data]\"."
        ) from error


def pillow_pixels(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a picture by Pillow, which runs outside the graph.

    Args:
        contents: The file's bytes, a scalar string.

    Returns:
        The upright picture laid on white, uint8 `(height, width, 3)`.

    Raises:
        tf.errors.OpError: In a graph, if Pillow is missing or does not know the
            picture; outside of one the error is Python's.
    """
    pixels = tf.numpy_function(_pixels, [contents], tf.uint8, stateful=False)
    return tf.ensure_shape(pixels, (None, None, 3))


def _pixels(contents: bytes | np.ndarray) -> np.ndarray:
    check_pillow()
    from PIL import Image, ImageOps

    try:
        # Outside of a graph TensorFlow gives the bytes in an array.
        image = Image.open(io.BytesIO(np.asarray(contents, object).item()))
    except Image.UnidentifiedImageError as error:
        raise ValueError("it is no picture of a known kind") from error
    with image:
        plain = _without_alpha(ImageOps.exif_transpose(image))
        return np.asarray(plain.convert("RGB"))


def _without_alpha(image: Any) -> Any:
    """Returns a picture of 8 bits a channel, laid on white where it is transparent."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 bits")
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip to 255.
        bits = np.asarray(image).astype(np.int64).clip(0, 2**16 - 1)
        return Image.fromarray((bits >> 8).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA"))
    return image
