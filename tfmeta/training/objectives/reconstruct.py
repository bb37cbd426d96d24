"""Pretraining without labels: an autoencoder."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import keys
from tfmeta.core.episode import Nest, Tensor
from tfmeta.learners import Learner
from tfmeta.training.objectives.objective import Objective, embeddings_of, floats_of


@keras.saving.register_keras_serializable("tfmeta")
class Reconstruct(Objective):
    """Learns embeddings from which a decoder can draw the example again.

    The loss is the mean squared error of the prepared example, over all its numbers.
    The decoder of a picture is a dense layer, then two transposed convolutions that
    double height and width. The decoder of any other example has one hidden layer.

    Args:
        decoder_filters: The channels of the decoder's convolutions, or a fourth of the
            units of its hidden layer.
        noise: The standard deviation of noise that is added to the embedding in
            training, in units of the embedding; 0 for none.

    Reference:
        G. Hinton, R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural
        Networks", Science 2006. Differs from the paper: layers are trained together,
        and the decoder of pictures is convolutional.
    """

    def __init__(self, *, decoder_filters: int = 32, noise: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if decoder_filters < 1 or noise < 0:
            raise ValueError(
                "decoder_filters must be at least 1, and noise at least 0. Received: "
                f"decoder_filters={decoder_filters} and noise={noise}."
            )
        self.decoder_filters, self.noise = decoder_filters, noise
        self.decoder: Any = None

    def prepare_for(self, learner: Learner, classes: int | None, seed: int) -> None:
        """Makes the decoder; see `Objective`."""
        shape = floats_of(learner, self)
        seeds = (keys.integer(seed, "weights/decoder", place) for place in range(9))
        layers = [keras.Input((embeddings_of(learner, self),))]
        if self.noise:
            layers.append(keras.layers.GaussianNoise(self.noise, seed=next(seeds)))
        make = self._picture if len(shape) == 3 else self._vector
        self.decoder = keras.Sequential([*layers, *make(shape, seeds)], name="decoder")

    def call(self, z: Tensor) -> Tensor:
        """The drawn examples, `(examples, ...)` float32."""
        return tf.cast(self.decoder(z), tf.float32)

    def loss(self, predictions: Tensor, x: Nest, y: Tensor) -> Tensor:
        """The mean squared error; see `Objective`."""
        return tf.reduce_mean(tf.square(predictions - tf.cast(x, tf.float32)))

    def _vector(self, shape: tuple[int, ...], seeds: Any) -> list[Any]:
        return [
            _dense(4 * self.decoder_filters, seeds, activation="relu"),
            _dense(math.prod(shape), seeds),
            keras.layers.Reshape(shape),
        ]

    def _picture(self, shape: tuple[int, ...], seeds: Any) -> list[Any]:
        height, width, channels = shape
        small = (-(-height // 4), -(-width // 4))  # Rounded up.
        cut = [(0, 4 * n - size) for n, size in zip(small, shape, strict=False)]
        return [
            _dense(math.prod(small) * self.decoder_filters, seeds, activation="relu"),
            keras.layers.Reshape((*small, self.decoder_filters)),
            _doubling(self.decoder_filters, seeds, activation="relu"),
            _doubling(channels, seeds),
            keras.layers.Cropping2D(tuple(cut)),
        ]


def _dense(units: int, seeds: Any, **options: Any) -> keras.layers.Layer:
    initializer = keras.initializers.GlorotUniform(next(seeds))
    return keras.layers.Dense(units, kernel_initializer=initializer, **options)


def _doubling(filters: int, seeds: Any, **options: Any) -> keras.layers.Layer:
    initializer = keras.initializers.GlorotUniform(next(seeds))
    return keras.layers.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        kernel_initializer=initializer,
        **options,
    )
