"""Pictures, preparations of one's own, and models that take them."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfmeta.data import Split, from_arrays
from tfmeta.learners import ProtoNet
from tfmeta.nets import fresh

SHAPE = (6, 6, 1)


def pixels(count: int, seed: int = 0) -> np.ndarray:
    """uint8 pictures, each around a brightness of its own class; classes of 4."""
    draws = np.random.default_rng(seed)
    middle = np.repeat(draws.integers(40, 216, (count // 4, *SHAPE)), 4, axis=0)
    noisy = middle + draws.normal(0, 25, (count, *SHAPE))
    return noisy.clip(0, 255).astype(np.uint8)


def source(count: int = 80, x=None):
    """A source of pictures, or of `x`, in classes of 4."""
    x = pixels(count) if x is None else x
    return from_arrays(x, np.arange(count) // 4, split=(0.5, 0.25, 0.25))


def split(**options) -> Split:
    y = np.repeat(np.arange(5, dtype=np.int32), 4)
    return Split("test", pixels(20, seed=1), y, tuple("abcde"), **options)


def embedding(shape=SHAPE, units: int = 4) -> keras.Model:
    """A net with dense layers, of fixed weights."""
    net = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(units),
        ]
    )
    return fresh(net, seed=3)


def protonet(shape=SHAPE) -> ProtoNet:
    return ProtoNet(embedding(shape))


@keras.saving.register_keras_serializable("tests")
class Affine(keras.layers.Layer):
    """x * weight + bias, a layer of one's own with weights."""

    def __init__(self, start=0.5, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, shape):
        start = keras.initializers.Constant(self.start)
        self.scale = self.add_weight((), initializer=start, name="scale")
        self.moved = self.add_weight((shape[-1],), initializer="zeros", name="moved")

    def call(self, x):
        return tf.cast(x, tf.float32) * self.scale + self.moved

    def get_config(self):
        return {**super().get_config(), "start": self.start}


def normal() -> keras.layers.Normalization:
    """Keras' layer, adapted to the pictures."""
    layer = keras.layers.Normalization(axis=-1)
    layer.adapt(pixels(80).astype(np.float32))
    return layer


class AsDict(keras.layers.Layer):
    """Makes a dict of what was no dict."""

    def call(self, x):
        return {"x": x}
