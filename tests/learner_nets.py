"""Small nets with drawn weights, for the table of learners and other tests."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfmeta.layers import BatchNorm
from tfmeta.nets import conv4, mlp

FEATURES, IMAGE = (4,), (8, 8, 1)
MAX_WAY = 5


def drawn(net: keras.Model, seed: int = 0) -> keras.Model:
    """The net with weights and moving statistics of a seed, none of them zero."""
    draws = np.random.default_rng(seed)
    for variable in net.trainable_variables:
        variable.assign(draws.normal(0, 0.6, variable.shape))
    for variable in net.non_trainable_variables:
        if tf.as_dtype(variable.dtype).is_floating:
            variable.assign(draws.uniform(0.5, 1, variable.shape))
    return net


def normed(way: int | None = None) -> keras.Model:
    """A small net with BatchNorm, smooth enough for central differences."""
    inputs = keras.Input(FEATURES)
    x = keras.layers.Dense(6, use_bias=False)(inputs)
    x = keras.layers.Activation("softplus")(BatchNorm()(x))
    if way is not None:
        x = keras.layers.Dense(way, name="head")(x)
    return drawn(keras.Model(inputs, x))


def plain(outputs: int | None = None) -> keras.Model:
    net = mlp(outputs=outputs, units=(8, 6), input_shape=FEATURES, activation="tanh")
    return drawn(net)


def dropped() -> keras.Model:
    inputs = keras.Input(FEATURES)
    x = keras.layers.Dense(6, activation="tanh")(inputs)
    x = keras.layers.Dropout(0.1)(x)
    return drawn(keras.Model(inputs, keras.layers.Dense(MAX_WAY, name="head")(x)))


def twice_normed() -> keras.Model:
    """A net whose first block can be fixed, and a later bias with it."""
    inputs = keras.Input(FEATURES)
    x = inputs
    for name in ("first", "second"):
        x = keras.layers.Dense(6, use_bias=False, name=name)(x)
        x = keras.layers.Activation("softplus")(BatchNorm(name=f"{name}_norm")(x))
    return drawn(
        keras.Model(inputs, keras.layers.Dense(MAX_WAY, name="head")(x), name="twice")
    )


def two_inputs() -> keras.Model:
    inputs = {
        name: keras.Input((size,), name=name)
        for name, size in (("left", 4), ("right", 3))
    }
    left = keras.layers.Dense(6, activation="tanh")(inputs["left"])
    right = keras.layers.Dense(6, activation="tanh")(inputs["right"])
    x = BatchNorm()(keras.layers.Add()([left, right]))
    return drawn(keras.Model(inputs, keras.layers.Dense(MAX_WAY, name="head")(x)))


@keras.saving.register_keras_serializable("tfmeta_tests")
class OwnNet(keras.Model):
    """A net of a class of one's own, with statistics."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(6, activation="softplus")
        self.norm = BatchNorm()
        self.head = keras.layers.Dense(MAX_WAY)

    def call(self, x, training=False):
        return self.head(self.norm(self.hidden(x), training=training))


def own_class() -> keras.Model:
    net = OwnNet()
    net(np.zeros((2, *FEATURES), keras.config.floatx()))
    return drawn(net)


def images(way: int | None = None) -> keras.Model:
    return drawn(conv4(way=way, filters=4, strided=True, input_shape=IMAGE))


def stock_net() -> keras.Model:
    """A net with each kind of Keras' own normalisation, one of them nested."""
    inner = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6),
            keras.layers.GroupNormalization(2, name="group"),
        ],
        name="inner",
    )
    inputs = keras.Input((4,), name="features")
    x = keras.layers.BatchNormalization(name="batch", momentum=0.8)(inner(inputs))
    x = keras.layers.LayerNormalization(name="layer", epsilon=1e-5)(x) + x
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x), name="stock")
