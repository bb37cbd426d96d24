"""Images changed a little, the same way whenever their episode is drawn again."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.core.keys import fold
from tfmeta.data.nested import array_shape
from tfmeta.data.part import Part


def small_moves(*, turn: float = 0.03, shift: float = 0.08, zoom: float = 0.1) -> Any:
    """Keras layers that turn, shift and zoom each image a little.

    For characters and other images on an empty (zero) ground. Each example of an
    episode moves on its own, so the queries differ from their support set as drawings
    by different hands do.

    Args:
        turn: The largest turn to either side, in whole turns (0.03 is 11 degrees).
        shift: The largest shift, as a share of the image's size.
        zoom: The largest change of size, as a share of it.

    Returns:
        A Keras layer for `episodes(augment=...)`.
    """
    import keras

    ground = {"fill_mode": "constant", "fill_value": 0.0}
    return keras.Sequential(
        [
            keras.layers.RandomRotation(turn, **ground),
            keras.layers.RandomTranslation(shift, shift, **ground),
            keras.layers.RandomZoom(zoom, **ground),
        ]
    )


def flips_and_shifts(*, shift: float = 0.125) -> Any:
    """Keras layers that mirror each image or not, and shift it a little.

    For photographs: left and right change places in half of them, and what a shift
    uncovers mirrors the image's edge. Where left and right differ in meaning, as in
    letters, take `small_moves`.

    Args:
        shift: The largest shift, as a share of the image's size (0.125 is 4 of 32
            pixels).

    Returns:
        A Keras layer for `episodes(augment=...)`.
    """
    import keras

    return keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomTranslation(shift, shift, fill_mode="reflect"),
        ]
    )


# The functions that make layers for pictures, by name.
AUGMENTATIONS = {each.__name__: each for each in (flips_and_shifts, small_moves)}


class Augmentation:
    """Runs Keras preprocessing layers as a pure function of a key.

    The images keep their dtype. The layers see uint8 images as float32 in 0..255,
    which Keras' layers take by default; what they return is rounded and clipped.

    Args:
        layer: A Keras layer of images, such as one of `keras.layers.Random...` or a
            `keras.Sequential` of them.
    """

    def __init__(self, layer: Any):
        self.layer = layer

    def __call__(self, images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Augments one episode's images.

        Args:
            images: `(examples, height, width, channels)`, uint8 or floats.
            key: `(2,)` int64, what the changes are drawn from.

        Returns:
            Images of the same shape and dtype.
        """
        import keras

        images = tf.convert_to_tensor(images)
        if not self.layer.built:
            self.layer.build((None, *images.shape[1:]))
        states = []
        for place, variable in enumerate(self.layer.non_trainable_variables):
            # A layer that draws keeps the state of its generator: two integers.
            if tuple(variable.shape) == (2,) and "int" in str(variable.dtype):
                bits = fold(key[0], f"augment/layer {place}", key[1])
                halves = tf.bitcast(bits, tf.uint32)
                states.append((variable, tf.cast(halves, variable.dtype)))
        with keras.StatelessScope(state_mapping=states):
            moved = self.layer(_as_floats(images), training=True)
        moved = tf.ensure_shape(moved, images.shape)
        if images.dtype.is_integer:
            return tf.saturate_cast(tf.round(moved), images.dtype)
        return tf.cast(moved, images.dtype)


def _as_floats(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) if images.dtype.is_integer else images


def check_images(part: Part) -> None:
    """Raises ValueError where the examples of a part are not images."""
    shape = array_shape(part.example_shape, part.dtype)
    if shape is None or len(shape) != 3:
        raise ValueError(
            "augment changes images (height, width, channels), but the examples of "
            f"{part.name!r} have shape {part.example_shape}. Leave out augment."
        )
