"""Decoding that tells which picture is broken instead of failing."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.data.pictures.decode import decode_picture
from tfmeta.data.pictures.format import PictureFormat


@tf.autograph.experimental.do_not_convert
def decode_checked(
    contents: tf.Tensor, form: PictureFormat, *, what: str
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Decodes pictures, and tells which cannot be decoded.

    A graph cannot catch the error of a broken picture, but a `tf.data` stream inside
    the graph can leave that picture out. Its number is the first that is missing.

    Args:
        contents: The bytes of the files, `(pictures,)` strings; there may be none.
        form: What the pictures are to become.
        what: What the sentence calls the pictures, such as "support_images".

    Returns:
        The pixels, uint8, `(pictures, height, width, channels)`, 0 where a picture
        cannot be decoded; a scalar bool, whether all are decoded; and a scalar string,
        the sentence that names the first that is not.

    Example:
        >>> one = PictureFormat(1, 1, 1)
        >>> pixels, holds, sentence = decode_checked([b"?"], one, what="query_images")
        >>> pixels.shape, bool(holds), sentence.numpy()[:34]
        (TensorShape([1, 1, 1, 1]), False, b'query_images has in place 0 bytes ')
    """
    contents = tf.convert_to_tensor(contents)
    total = tf.size(contents, tf.int64)
    stream = tf.data.Dataset.from_tensor_slices(contents).enumerate()
    stream = stream.map(
        lambda number, each: (number, decode_picture(each, form)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    stream = stream.ignore_errors().batch(tf.maximum(total, 1))
    # A stream of which nothing is left has no batch, so an empty one follows.
    none = (tf.zeros((0,), tf.int64), tf.zeros((0, *form.shape), tf.uint8))
    stream = stream.concatenate(tf.data.Dataset.from_tensors(none)).take(1)
    numbers, pixels = stream.get_single_element()
    in_order = numbers == tf.range(tf.size(numbers, tf.int64))
    first = tf.reduce_sum(tf.cast(in_order, tf.int64))
    shape = tf.stack([total, *form.shape])
    pixels = tf.scatter_nd(numbers[:, tf.newaxis], pixels, shape)
    sentence = tf.strings.format(
        f"{what} has in place {{}} bytes that cannot be decoded. Each must be a whole "
        "JPEG, PNG, BMP or GIF file. Replace or leave out that picture.",
        [first],
    )
    pixels = tf.ensure_shape(pixels, (*contents.shape, *form.shape))
    return pixels, first == total, sentence
