"""The pixels of GIFs and BMPs, in the graph.

TensorFlow decodes both, but takes no notice of a GIF's transparency, nor of the colours
in a BMP's table.
"""

from __future__ import annotations

import tensorflow as tf

from tfmeta.data.pictures.exif import bytes_at, number_at

_GIF_HEAD = 13  # The bytes before a GIF's table of colours.


def bmp_pixels(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP of 8, 24 or 32 bits a pixel that is not compressed.

    The fourth byte of 32 bits is ignored, since most programs leave it at 0.

    Args:
        contents: The file's bytes, a scalar string.

    Returns:
        uint8, `(height, width, 3)`.
    """
    pixels = tf.io.decode_bmp(contents)
    table_at, bits = 14 + number_at(contents, 14, 4), number_at(contents, 28, 2)

    def coloured() -> tf.Tensor:
        table = tf.reshape(bytes_at(contents, table_at, 4 * 256), (256, 4))
        table = tf.cast(table[:, 2::-1], tf.uint8)
        return tf.gather(table, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(bits == 8, coloured, lambda: pixels[..., :3])


def gif_pixels(contents: tf.Tensor) -> tf.Tensor:
    """Decodes the first frame of a GIF.

    The picture is white where the frame is transparent or does not reach.

    Args:
        contents: The file's bytes, a scalar string.

    Returns:
        uint8, `(height, width, 3)`.
    """
    frame, control = _first_frame(contents)
    size = [number_at(contents, at, 2) for at in (8, 6)]
    before = [number_at(contents, frame + at, 2) for at in (3, 1)]
    alone = _replaced(
        _white_where_clear(contents, frame, control), frame + 1, b"\0" * 4
    )
    pixels = tf.io.decode_image(alone, channels=3, expand_animations=False)
    pixels = tf.ensure_shape(pixels, (None, None, 3))
    after = tf.maximum(tf.stack(size) - before - tf.shape(pixels)[:2], 0)
    around = tf.pad(tf.stack([tf.stack(before), after], axis=1), [[0, 1], [0, 0]])
    return tf.pad(pixels, around, constant_values=255)


def _first_frame(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where the first frame begins, and its control block (0: there is none).

    Blocks before the frame begin with 0x21 and a byte that tells their kind; chunks
    follow, each with its length before it; an empty one is the last.
    """

    def goes_on(at: tf.Tensor, control: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
        return inside | (bytes_at(contents, at, 1)[0] == 0x21)

    def step(at: tf.Tensor, control: tf.Tensor, inside: tf.Tensor) -> list[tf.Tensor]:
        first, kind = tf.unstack(bytes_at(contents, at, 2))
        found = ~inside & (kind == 0xF9)
        return [
            at + tf.where(inside, first + 1, 2),
            tf.where(found, at, control),
            ~inside | (first > 0),
        ]

    start = _GIF_HEAD + _table_size(contents, 10)
    return tf.while_loop(goes_on, step, [start, tf.constant(0), tf.constant(False)])[:2]


def _table_size(contents: tf.Tensor, flags_at: tf.Tensor | int) -> tf.Tensor:
    """Returns the bytes of the table of colours that a byte of flags tells of."""
    flags = bytes_at(contents, flags_at, 1)[0]
    size = 3 * tf.bitwise.left_shift(2, flags % 8)
    return tf.where(flags >= 0x80, size, 0)


def _white_where_clear(
    contents: tf.Tensor, frame: tf.Tensor, control: tf.Tensor
) -> tf.Tensor:
    """Returns the GIF with opaque white for the transparent colour, if it has one."""
    flags, _, _, colour = tf.unstack(bytes_at(contents, control + 3, 4))
    own = _table_size(contents, frame + 9)
    table = tf.where(own > 0, frame + 10, _GIF_HEAD)
    size = tf.where(own > 0, own, _table_size(contents, 10))

    def whitened() -> tf.Tensor:
        opaque = tf.gather(_BYTES, flags - 1)
        white = _replaced(contents, table + 3 * colour, b"\xff\xff\xff")
        return _replaced(white, control + 3, opaque)

    clear = (control > 0) & (flags % 2 == 1) & (3 * colour < size)
    return tf.cond(clear, whitened, lambda: tf.identity(contents))


def _replaced(contents: tf.Tensor, at: tf.Tensor, new: tf.Tensor | bytes) -> tf.Tensor:
    """Returns a string with other bytes at a place."""
    after = at + tf.strings.length(new)
    tail = tf.strings.substr(contents, after, tf.strings.length(contents) - after)
    return tf.strings.join([tf.strings.substr(contents, 0, at), new, tail])


_BYTES = [bytes([i]) for i in range(256)]
