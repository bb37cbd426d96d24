"""Max-pooling beside Keras' own, whose kernels visit numbers one by one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import MaxPool

SHAPES = [(2, 6, 4, 3), (3, 7, 5, 2), (1, 3, 9, 1)]


def _inputs(shape: tuple[int, ...], *, ties: bool) -> tf.Tensor:
    x = np.random.default_rng(0).normal(size=shape)
    return tf.constant(np.round(x) if ties else x)


def _derivatives(pool, x: tf.Tensor) -> list[np.ndarray]:
    """The outputs of a layer and three derivatives of a function of them."""
    weights = tf.constant(np.random.default_rng(1).normal(size=x.shape))
    with tf.GradientTape() as third:
        third.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                y = pool(x)
                value = tf.reduce_sum(tf.sin(y) * y)
            one = first.gradient(value, x)
            along = tf.reduce_sum(one * tf.cos(weights) * weights)
        two = second.gradient(along, x)
        along = tf.reduce_sum(two * weights)
    three = third.gradient(along, x)
    return [t.numpy() for t in (y, one, two, three)]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", [False, True])
def test_values_and_derivatives_are_those_of_keras(shape, size: int, ties) -> None:
    x = _inputs(shape, ties=ties)
    got = _derivatives(MaxPool(size, dtype="float64"), x)
    expected = _derivatives(keras.layers.MaxPooling2D(size, dtype="float64"), x)
    for ours, stock in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-14)


def test_the_first_of_equal_values_gets_the_gradient() -> None:
    x = tf.constant([[1.0, 2.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0]])[None, ..., None]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = MaxPool(2)(x) * tf.constant([3.0, 5.0])[None, None, :, None]
    gradient = tape.gradient(y, x)[0, ..., 0]
    assert gradient.numpy().tolist() == [[0, 3, 5, 0], [0, 0, 0, 0]]


def test_sizes_may_be_unknown() -> None:
    pool = MaxPool(2)
    inputs = keras.Input((None, None, 3))
    assert pool(inputs).shape == (None, None, None, 3)
    x = tf.cast(_inputs((2, 7, 5, 3), ties=True), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = pool(x)
        return tape.gradient(y, x)

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = keras.layers.MaxPooling2D(2)(x)
    np.testing.assert_array_equal(gradient(x), tape.gradient(y, x))


def test_half_precision_and_compiled() -> None:
    x = tf.cast(_inputs((2, 6, 4, 3), ties=True), tf.float16)

    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = MaxPool(2, dtype="float16")(x)
        return tape.gradient(y, x)

    found = tf.function(gradient, jit_compile=True)(x)
    assert found.dtype == tf.float16
    np.testing.assert_array_equal(found, gradient(x))


def test_config_round_trip() -> None:
    layer = MaxPool(3, name="pool")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(again) is MaxPool and again.get_config() == layer.get_config()


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="pool_size must be at least 1.*pool_size=0"):
        MaxPool(0)
