"""A preparation: of examples, of tasks, its config, and what lies far outside."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.prepare.preparation import Preparation, as_preparation
from tfmeta.data.prepare.scale_pictures import ScalePictures


def outside(preparation, prepared, name="x"):
    """The answer and the sentence, out of a graph."""
    found = tf.function(lambda x: preparation.outside(x, name))(prepared)
    holds, sentence = (each.numpy() for each in found)
    return bool(holds), sentence.decode()


def test_scaled_pictures_are_the_same_numbers_in_eager_mode_graphs_and_xla():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    expected = pixels.astype(np.float32) / np.float32(255)
    layer = ScalePictures()
    ways = (
        layer,
        tf.function(layer, autograph=False),
        tf.function(layer, autograph=False, jit_compile=True),
    )
    for way in ways:
        np.testing.assert_array_equal(way(tf.constant(pixels)), expected)


@pytest.mark.parametrize(
    "x",
    [
        np.full((2, 8, 8, 1), 200, np.int32),
        np.full((2, 8, 8, 2), 200, np.uint8),
        np.full((2, 8), 200, np.uint8),
        np.full((2, 8, 8, 1), 200, np.float32),
    ],
)
def test_what_is_no_picture_stays_as_it_is(x):
    prepared = Preparation()(tf.constant(x))
    assert prepared.dtype == x.dtype
    np.testing.assert_array_equal(prepared, x)


def test_what_the_net_takes_as_whole_numbers_is_not_scaled():
    pixels = np.full((2, 8, 8, 1), 200, np.uint8)
    whole = {"a": tf.TensorSpec((None, 8, 8, 1), tf.int32)}
    floats = {"b": tf.TensorSpec((None, 8, 8, 1), tf.float32)}
    for prepare in (None, Preparation(), Preparation(ScalePictures(whole=["a"]))):
        ready = as_preparation(prepare, {**whole, **floats})({"a": pixels, "b": pixels})
        assert ready["a"].numpy().max() == 200
        assert ready["b"].numpy().max() == np.float32(200 / 255)
    alone = as_preparation(None, whole["a"])
    assert alone(pixels).numpy().max() == 200


def test_a_preparation_that_fits_stays_the_same_object():
    spec = tf.TensorSpec((None, 8, 8, 1), tf.float32)
    preparation = Preparation(pictures=(8, 8, 1))
    assert as_preparation(preparation, spec) is preparation
    assert isinstance(as_preparation(keras.layers.Rescaling(2.0)), Preparation)
    with pytest.raises(ValueError, match="must be a Keras layer.* Received: function"):
        as_preparation(lambda x: x)


class Joined(keras.layers.Layer):
    """Joins two columns, and looks at the first axis of what it gets."""

    def call(self, x):
        assert x["a"].shape[1:] == (2,)
        return tf.concat([x["a"], x["b"]], axis=1)


def test_tasks_are_prepared_example_by_example():
    draws = np.random.default_rng(0)
    a, b = draws.normal(size=(2, 3, 2)), draws.normal(size=(2, 3, 4))
    prepared = Preparation(Joined()).tasks({"a": a, "b": b})
    np.testing.assert_allclose(prepared, np.concatenate([a, b], 2), rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 0, 4), (0, 3, 4), (2, 3, 0)])
def test_tasks_without_examples_are_prepared(shape):
    assert Preparation().tasks(tf.zeros(shape)).shape == shape


def test_sizes_that_a_graph_does_not_know_stay_right():
    spec = tf.TensorSpec((None, None, None, 3), tf.uint8)
    layer = keras.layers.Identity()
    graph = tf.function(Preparation(layer).tasks, input_signature=[spec])
    x = np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(2, 3, 5, 3)
    np.testing.assert_array_equal(graph(x), x)


def test_texts_pass():
    texts = tf.constant([["a", "b"], ["c", "d"]])
    assert Preparation().tasks(texts).numpy().tolist() == [[b"a", b"b"], [b"c", b"d"]]


def test_the_layer_is_never_in_training_mode_and_never_trained():
    dropout = keras.Sequential(
        [keras.layers.Dropout(0.9), keras.layers.Dense(2, kernel_initializer="ones")]
    )
    preparation = Preparation(dropout)
    net = keras.Sequential([keras.Input((3,)), preparation])
    np.testing.assert_array_equal(net(tf.ones((1, 3)), training=True), [[3, 3]])
    assert preparation.variables and not net.trainable_variables


def test_a_preparation_is_made_again_from_its_config():
    one = Preparation(
        keras.layers.Rescaling(0.5), pictures=(8, 9, 3), low=[0, None], high=[1, None]
    )
    again = Preparation.from_config(one.get_config())
    assert again.get_config() == one.get_config()
    assert (again.low, again.high, again.pictures.width) == ([0, None], [1, None], 9)
    assert float(again(tf.constant(4.0)[None])[0]) == 2


def test_low_and_high_belong_together():
    with pytest.raises(ValueError, match=r"low=\[0\] and high=None"):
        Preparation(low=[0])


# Of 0..1 the centre is 0.5, and three times the width goes from -1 to 2.
@pytest.mark.parametrize(
    ("values", "holds"),
    [([-1.0, 2.0], True), ([2.01], False), ([-1.01, 0.5], False), ([], True)],
)
def test_far_outside_is_three_times_the_range(values, holds):
    preparation = Preparation(low=[0], high=[1])
    assert outside(preparation, tf.constant(values, tf.float32))[0] is holds


def test_the_sentence_tells_the_worst_value_and_what_to_do():
    pictures = tf.fill((2, 4, 4, 1), 255.0)
    holds, sentence = outside(Preparation(low=[0], high=[1]), pictures, "support_x")
    assert not holds
    assert sentence == (
        "support_x must be like the inputs of training, which are in 0..1 when "
        "prepared. Received: 255. Give pictures as uint8 in 0..255, which are divided "
        "by 255, or as floats that are divided by 255 already."
    )
    table = {"a": tf.constant([1.0]), "b": tf.constant([[3, -7]])}
    _, sentence = outside(Preparation(low=[0, -1], high=[9, 2]), table)
    assert "x_b must" in sentence and "-1..2 when" in sentence
    assert "Received: -7. Give inputs in the units" in sentence


@pytest.mark.parametrize(
    "range_", [{}, {"low": [None], "high": [None]}, {"low": [3], "high": [3]}]
)
def test_without_a_range_nothing_is_far_outside(range_):
    assert outside(Preparation(**range_), tf.constant([1e9])) == (True, "")
