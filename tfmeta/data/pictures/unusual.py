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
    flags = bytes_at(contents, control + 3, 1)[0]
    opaque = tf.cond(
        (control > 0) & (flags % 2 == 1),
        lambda: _with_white(contents, frame, control, flags),
        lambda: tf.identity(contents),
    )
    # TensorFlow gives the frame without what is around it.
    pixels = tf.io.decode_image(opaque, channels=3, expand_animations=False)
    pixels = tf.ensure_shape(pixels, (None, None, 3))
    size = [number_at(contents, at, 2) for at in (8, 6)]
    before = [number_at(contents, frame + at, 2) for at in (3, 1)]
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


def _with_white(
    contents: tf.Tensor, frame: tf.Tensor, control: tf.Tensor, flags: tf.Tensor
) -> tf.Tensor:
    """Returns the GIF with opaque white for the transparent colour."""
    own = _table_size(contents, frame + 9) > 0
    table = tf.where(own, frame + 10, _GIF_HEAD)
    colour = table + 3 * bytes_at(contents, control + 6, 1)[0]
    opaque = tf.gather(_BYTES, flags - 1)
    # The control block stands before the frame and its own table, not before the other.
    for at, new in ((control + 3, opaque), (colour, tf.constant(b"\xff\xff\xff"))):
        after = at + tf.strings.length(new)
        contents = tf.strings.join(
            [
                tf.strings.substr(contents, 0, at),
                new,
                tf.strings.substr(contents, after, tf.strings.length(contents) - after),
            ]
        )
    return contents


_BYTES = [bytes([i]) for i in range(256)]
