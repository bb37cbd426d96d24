"""From the bytes of encoded pictures to pixels, in the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from tfmeta.data.pictures.exif import (
    jpeg_orientation,
    number_at,
    png_orientation,
    turned_upright,
)
from tfmeta.data.pictures.fit import fit_image
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.pictures.unusual import bmp_pixels, gif_pixels

_RATIOS = (1, 2, 4, 8)  # A JPEG decodes so many times smaller in less time.
# Bytes of files that can be turned or transparent: the marks of EXIF data and of a
# transparent colour, wherever they are, and a PNG's kinds of colours with alpha.
_NOT_PLAIN = r"\C*(Exif\x00\x00|eXIf|tRNS)\C*|\CPNG\C{21}[\x04\x06]\C*"
# A head of at least 40 bytes, 8, 24 or 32 bits a pixel, no compression.
_USUAL_BMP = r"BM\C{12}[(48l|]\x00{3}\C{10}[\x08\x18\x20]\x00{5}\C*"
_Decoder: TypeAlias = Callable[[tf.Tensor, PictureFormat], tf.Tensor]
_Other: TypeAlias = Callable[[tf.Tensor], tf.Tensor]


def decode_picture(contents: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    """Decodes a picture; see `decode_pictures`.

    Args:
        contents: The file's bytes, a scalar string.
        form: What the picture is to become.

    Returns:
        uint8, `(height, width, channels)`.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no such picture.
    """
    return decode_pictures(tf.convert_to_tensor(contents)[tf.newaxis], form)[0]


def decode_pictures(
    contents: tf.Tensor,
    form: PictureFormat,
    *,
    other: _Other | None = None,
) -> tf.Tensor:
    """Decodes pictures in parallel: JPEG, PNG, GIF (the first frame) or BMP.

    Every picture is turned as its EXIF data says, laid on white where it is
    transparent, and resized by averaging over areas, not cropped. Of 16 bits a channel
    the higher 8 count. Grey is the luminance of the colours, as `fit_image` computes
    it. A JPEG much larger than wanted is decoded at a half, a quarter or an eighth of
    its size, but at least twice as large as wanted. There are only TensorFlow's own
    operations in it, so it runs in a `tf.data` map and in a saved model.

    Args:
        contents: The bytes of the files, `(pictures,)` strings.
        form: What the pictures are to become.
        other: A function that decodes what is none of the four: from the bytes, a
            scalar string, to the upright picture, uint8 `(any, any, 3)`. None refuses
            it.

    Returns:
        uint8, `(pictures, height, width, channels)`.

    Raises:
        tf.errors.InvalidArgumentError: If one of them is no such picture, or is cut
            short. Of BMPs only those that are not compressed and have 8, 24 or 32 bits
            a pixel are decoded.

    Example:
        >>> png = tf.io.encode_png(tf.fill((60, 40, 3), tf.constant(7, tf.uint8)))
        >>> pictures = decode_pictures(tf.stack([png]), PictureFormat(2, 2, 1))
        >>> pictures[0, ..., 0].numpy().tolist()
        [[7, 7], [7, 7]]
    """
    contents = tf.convert_to_tensor(contents)
    pixels = _traced(form, other or _refused)(contents)
    return tf.ensure_shape(pixels, (*contents.shape, *form.shape))


@functools.cache
def _traced(form: PictureFormat, other: _Other) -> Any:
    """The graph that decodes pictures, which all other graphs call.

    It takes seconds to trace, so it is traced once, not for each dataset.
    """
    decode = tf.function(
        functools.partial(_decoded, form=form, other=other),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    with tf.init_scope(), tf.device("CPU:0"):
        return decode.get_concrete_function()


def _decoded(contents: tf.Tensor, *, form: PictureFormat, other: _Other) -> tf.Tensor:
    """Decodes JPEGs, PNGs and all other pictures in a loop each.

    A choice in every step would cost more than a small picture takes to decode.
    """
    kinds = _kinds(contents)
    loops = tf.minimum(kinds, 2)
    places = tf.range(tf.size(contents))

    def decoded(decoder: Callable[..., tf.Tensor], given: Any) -> tf.Tensor:
        return tf.map_fn(
            lambda each: _fitted(decoder(each, form), form),
            given,
            fn_output_signature=tf.TensorSpec(form.shape, tf.uint8),
        )

    def unusual(each: tuple[tf.Tensor, tf.Tensor], form: PictureFormat) -> tf.Tensor:
        one, kind = each
        decoders = [functools.partial(d, one, form) for d in _DECODERS[2:]]
        return tf.switch_case(kind - 2, [*decoders, lambda: other(one)])

    jpegs, pngs, others = tf.dynamic_partition(contents, loops, 3)
    return tf.dynamic_stitch(
        tf.dynamic_partition(places, loops, 3),
        [
            decoded(_jpeg, jpegs),
            decoded(_png, pngs),
            decoded(unusual, (others, kinds[kinds >= 2])),
        ],
    )


def _kinds(contents: tf.Tensor) -> tf.Tensor:
    """Returns which of `_DECODERS` a picture needs, `(pictures,)` int32."""

    def begin_with(start: bytes) -> tf.Tensor:
        return tf.strings.substr(contents, 0, len(start)) == start

    is_jpeg, is_png = begin_with(b"\xff\xd8\xff"), begin_with(b"\x89PNG")
    plain = ~tf.strings.regex_full_match(contents, _NOT_PLAIN)
    is_kind = [
        is_jpeg & plain,
        is_png & plain,
        is_jpeg,
        is_png,
        begin_with(b"GIF8"),
        tf.strings.regex_full_match(contents, _USUAL_BMP),
        tf.ones_like(is_jpeg),
    ]
    # The first that holds.
    return tf.argmax(tf.stack(is_kind), output_type=tf.int32)


def _fitted(image: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    """Returns an upright picture in colour in the size and the kind that is wanted."""
    image, size = tf.ensure_shape(image, (None, None, 3)), form.shape[:2]
    image = tf.cond(
        tf.reduce_all(tf.shape(image)[:2] == size),
        lambda: fit_image(image, channels=form.channels),
        lambda: fit_image(image, size=size, channels=form.channels),
    )
    return 255 - image if form.inverted else image


def _jpeg(contents: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    """Returns a JPEG's pixels as they lie, at least twice as large as wanted."""
    size = tf.io.extract_jpeg_shape(contents)[:2]
    times = tf.reduce_min(size) // (2 * max(form.height, form.width))

    def at(ratio: int) -> Callable[[], tf.Tensor]:
        return lambda: tf.io.decode_jpeg(
            contents, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    fitting = tf.reduce_sum(tf.cast(times >= tf.constant(_RATIOS[1:]), tf.int32))
    return tf.switch_case(fitting, [at(ratio) for ratio in _RATIOS])


def _jpeg_not_plain(contents: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    return turned_upright(_jpeg(contents, form), jpeg_orientation(contents))


def _png(contents: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    return tf.io.decode_png(contents, channels=3)


def _png_not_plain(contents: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    pixels = tf.io.decode_png(contents, channels=4)
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    # TensorFlow fills in the largest number of so many bits where there is no alpha.
    bits = tf.minimum(number_at(contents, 24, 1), 8)
    opaque = tf.cast(tf.bitwise.left_shift(1, bits) - 1, tf.uint8)
    image = tf.cond(
        tf.reduce_all(alpha == opaque),
        lambda: tf.identity(colours),
        lambda: _on_white(colours, alpha),
    )
    return turned_upright(image, png_orientation(contents))


def _on_white(colours: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    colours, alpha = tf.cast(colours, tf.int32), tf.cast(alpha, tf.int32)
    return tf.cast((colours * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _gif(contents: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    return gif_pixels(contents)


def _bmp(contents: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    return bmp_pixels(contents)


def _refused(contents: tf.Tensor) -> tf.Tensor:
    sentence = ["it is no JPEG, PNG, GIF or BMP"]
    with tf.control_dependencies([tf.debugging.Assert(False, sentence)]):
        return tf.zeros((1, 1, 3), tf.uint8)


_DECODERS: tuple[_Decoder, ...] = (
    _jpeg,
    _png,
    _jpeg_not_plain,
    _png_not_plain,
    _gif,
    _bmp,
)
