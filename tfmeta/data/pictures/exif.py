"""How a picture is to be turned, as the camera noted in its EXIF data."""

from __future__ import annotations

import tensorflow as tf

_ORIENTATION = 0x0112  # The tag of EXIF data.
_ENTRY = 12  # The bytes of an entry of EXIF data.


def jpeg_orientation(contents: tf.Tensor) -> tf.Tensor:
    """Reads how a JPEG is to be turned.

    Args:
        contents: The file's bytes, a scalar string.

    Returns:
        The EXIF orientation, 1 to 8, a scalar int32; 1 if the file has none.
    """

    def exif_here(at: tf.Tensor) -> tf.Tensor:
        named = _text(contents, at + 4, 6) == b"Exif\0\0"
        return named & (_text(contents, at, 2) == b"\xff\xe1")

    def goes_on(at: tf.Tensor) -> tf.Tensor:
        mark = bytes_at(contents, at, 2)
        # The pixels begin at mark 0xDA.
        return (mark[0] == 0xFF) & (mark[1] != 0xDA) & ~exif_here(at)

    def step(at: tf.Tensor) -> tuple[tf.Tensor]:
        size = number_at(contents, at + 2, 2, big=True)
        return (at + 2 + tf.maximum(size, 2),)

    (at,) = tf.while_loop(goes_on, step, (tf.constant(2),))
    return _orientation(contents, at + 10, exif_here(at))


def png_orientation(contents: tf.Tensor) -> tf.Tensor:
    """Reads how a PNG is to be turned; see `jpeg_orientation`."""

    def exif_here(at: tf.Tensor) -> tf.Tensor:
        return _text(contents, at + 4, 4) == b"eXIf"

    def goes_on(at: tf.Tensor) -> tf.Tensor:
        return (at < tf.strings.length(contents)) & ~exif_here(at)

    def step(at: tf.Tensor) -> tuple[tf.Tensor]:
        size = number_at(contents, at, 4, big=True)
        return (at + 12 + tf.maximum(size, 0),)

    (at,) = tf.while_loop(goes_on, step, (tf.constant(8),))
    return _orientation(contents, at + 8, exif_here(at))


def turned_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors a picture as its orientation says.

    Args:
        image: `(height, width, channels)`.
        orientation: The EXIF orientation, a scalar int32.

    Returns:
        The picture as it is to be seen; with an orientation above 4 it is
        `(width, height, channels)`.
    """

    def is_one_of(*numbers: int) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(numbers))

    def turn() -> tf.Tensor:
        turned = tf.cond(
            orientation > 4,
            lambda: tf.transpose(image, (1, 0, 2)),
            lambda: tf.identity(image),
        )
        mirrored = tf.stack([is_one_of(3, 4, 7, 8), is_one_of(2, 3, 6, 7)])
        return tf.reverse(turned, tf.boolean_mask(tf.constant([0, 1]), mirrored))

    return tf.cond(orientation == 1, lambda: tf.identity(image), turn)


def bytes_at(contents: tf.Tensor, at: tf.Tensor | int, count: int) -> tf.Tensor:
    """Reads bytes of a string.

    Args:
        contents: A scalar string.
        at: The place of the first byte, a scalar int32.
        count: The number of bytes.

    Returns:
        `(count,)` int32 in 0..255; 0 where the string has ended.
    """
    found = tf.io.decode_raw(_text(contents, at, count), tf.uint8)
    found = tf.cast(found, tf.int32)
    padded = tf.pad(found, [[0, count - tf.shape(found)[0]]])
    return tf.ensure_shape(padded, (count,))


def number_at(
    contents: tf.Tensor,
    at: tf.Tensor | int,
    count: int,
    *,
    big: tf.Tensor | bool = False,
) -> tf.Tensor:
    """Reads a whole number of up to four bytes.

    Args:
        contents: A scalar string.
        at: The place of its first byte, a scalar int32.
        count: The number of its bytes.
        big: Whether the first byte counts most, a scalar bool.

    Returns:
        A scalar int32; numbers from 2**31 on become negative.
    """
    weights = tf.constant([1 << 8 * i for i in range(count)], tf.uint32)
    weights = tf.where(big, weights[::-1], weights)
    each = tf.cast(bytes_at(contents, at, count), tf.uint32) * weights
    return tf.bitcast(tf.reduce_sum(each), tf.int32)


def _text(
    contents: tf.Tensor, at: tf.Tensor | int, count: tf.Tensor | int
) -> tf.Tensor:
    """Returns a part of a string, shorter where the string ends."""
    start = tf.clip_by_value(at, 0, tf.strings.length(contents))
    return tf.strings.substr(contents, start, count)


def _orientation(contents: tf.Tensor, at: tf.Tensor, exists: tf.Tensor) -> tf.Tensor:
    """Returns the orientation in the EXIF data that begin at a place."""
    big = _text(contents, at, 2) == b"MM"
    known = exists & (big | (_text(contents, at, 2) == b"II"))
    table = at + number_at(contents, at + 4, 4, big=big)
    count = number_at(contents, table, 2, big=big)
    entries = tf.io.decode_raw(_text(contents, table + 2, _ENTRY * count), tf.uint8)
    whole = _ENTRY * (tf.shape(entries)[0] // _ENTRY)
    entries = tf.cast(tf.reshape(entries[:whole], (-1, _ENTRY)), tf.int32)
    weights = tf.where(big, tf.constant([256, 1]), tf.constant([1, 256]))
    tags, values = (tf.linalg.matvec(entries[:, i : i + 2], weights) for i in (0, 8))
    value = tf.reduce_max(tf.where(tags == _ORIENTATION, values, 0))
    return tf.where(known & (value >= 1) & (value <= 8), value, 1)
