"""Images changed a little, the same way whenever their episode is drawn again."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.core.keys import fold
from tfmeta.data.nested import array_shape
from tfmeta.data.part import Part


def small_moves(
    *, turn: float = 0.03, shift: float = 0.08, zoom: float = 0.1, warp: float = 0.0
) -> Any:
    """Keras layers that turn, shift and zoom each image a little, and may warp it.

    For characters and other images on an empty (zero) ground. Each example of an
    episode moves on its own, so the queries differ from their support set as drawings
    by different hands do.

    Args:
        turn: The largest turn to either side, in whole turns (0.03 is 11 degrees).
        shift: The largest shift, as a share of the image's size.
        zoom: The largest change of size, as a share of it.
        warp: How far the corners of the image are pulled apart or together at most, as
            a share of its size, 0 to 0.5: this slants and stretches a drawing; 0 leaves
            it out. The upper left corner stays.

    Returns:
        A Keras layer for `episodes(augment=...)`.

    Raises:
        ValueError: If a number is out of range.
    """
    import keras

    if not 0 <= warp <= 0.5:
        raise ValueError(f"warp must be from 0 to 0.5. Received: {warp}.")
    ground = {"fill_mode": "constant", "fill_value": 0.0}
    layers = [
        keras.layers.RandomRotation(turn, **ground),
        keras.layers.RandomTranslation(shift, shift, **ground),
        keras.layers.RandomZoom(zoom, **ground),
    ]
    if warp:  # Keras moves a corner by up to half of `scale`.
        layers.append(keras.layers.RandomPerspective(1.0, scale=2 * warp))
    return keras.Sequential(layers)


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


def crops_and_colours(
    *, crop: float = 0.5, shift: float = 0.25, colour: float = 0.4, grey: float = 0.2
) -> Any:
    """Keras layers that cut a part out of each photograph, and change its colours.

    Two such views of one picture share what is in it, and little else. So they are for
    pretraining by `tfmeta.training.objectives.Contrast`; in episodes they are too
    much. Pictures need three channels.

    Args:
        crop: How much of height and width is cut away at most, as a share of them.
        shift: The largest shift of what is left, as a share of the image's size.
        colour: How far contrast and saturation change at most, as a share of them;
            brightness changes by half of it, the hue by a fourth.
        grey: The share of the pictures whose colours are taken away.

    Returns:
        A Keras layer for `examples(augment=...)`.

    Reference:
        T. Chen, S. Kornblith, M. Norouzi, G. Hinton, "A Simple Framework for
        Contrastive Learning of Visual Representations" (SimCLR), ICML 2020. Differs
        from the paper: colours change in every picture, and nothing is blurred.
    """
    import keras

    return keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomTranslation(shift, shift, fill_mode="reflect"),
            keras.layers.RandomZoom((-crop, 0.0)),
            keras.layers.RandomColorJitter(
                brightness_factor=colour / 2,
                contrast_factor=colour,
                # Keras takes f for a saturation of f / (1 - f) times the picture's.
                saturation_factor=(
                    (1 - colour) / (2 - colour),
                    (1 + colour) / (2 + colour),
                ),
                hue_factor=colour / 4,
            ),
            keras.layers.RandomGrayscale(grey),
        ]
    )


# The functions that make layers for pictures, by name.
AUGMENTATIONS = {
    each.__name__: each for each in (crops_and_colours, flips_and_shifts, small_moves)
}


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


def check_images(part: Part, layer: Any) -> None:
    """Raises where a layer cannot change the examples of a part.

    Args:
        part: The part whose examples are to be changed.
        layer: The Keras layer.

    Raises:
        ValueError: If the examples are no images, or the layer cannot change one or
            makes another shape of it.
    """
    shape = array_shape(part.example_shape, part.dtype)
    if shape is None or len(shape) != 3:
        raise ValueError(
            "augment changes images (height, width, channels), but the examples of "
            f"{part.name!r} have shape {part.example_shape}. Leave out augment."
        )
    try:
        Augmentation(layer)(tf.zeros((1, *shape), part.dtype), tf.zeros(2, tf.int64))
    except (tf.errors.OpError, TypeError, ValueError) as error:
        why = next((line for line in str(error).splitlines() if "must" in line), error)
        raise ValueError(
            f"augment must change images {shape} into such images. Received: "
            f"{type(layer).__name__}, which cannot: {why}. Take layers for such images."
        ) from error
