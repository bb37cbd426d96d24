"""The smallest and the largest prepared value of examples."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.prepare.measured import chunks_of, measured
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.prepare.scale_pictures import ScalePictures
from tfmeta.data.stores.memory import MemoryStore

DRAWS = np.random.default_rng(0)


def ends(preparation, chunks):
    found = measured(preparation, chunks)
    return found.low, found.high


def test_all_chunks_count():
    x = DRAWS.normal(size=(1000, 3)).astype(np.float32)
    rows = np.arange(100, 900)
    low, high = ends(Preparation(), chunks_of(MemoryStore(x), rows))
    assert (low, high) == ([x[100:900].min()], [x[100:900].max()])


def test_the_range_is_of_prepared_values():
    x = np.float32([[0, 1], [2, 5]])
    assert ends(Preparation(keras.layers.Rescaling(-2.0, 1.0)), [x]) == ([-9], [1])


def test_scaled_pictures_are_not_read():
    def pictures():
        yield np.zeros((2, 8, 8, 1), np.uint8)
        raise AssertionError("The second chunk was read.")

    assert ends(Preparation(), pictures()) == ([0], [1])
    with pytest.raises(AssertionError):
        ends(Preparation(keras.layers.Rescaling(1.0)), pictures())


def test_pictures_that_stay_whole_numbers_are_measured():
    pictures = np.uint8([7, 200]).reshape(2, 1, 1, 1)
    assert ends(Preparation(ScalePictures(whole=["x"])), [pictures]) == ([7], [200])


def test_each_part_of_an_example_has_its_range():
    x = {
        "age": np.int64([[3], [70]]),
        "pixels": np.uint8([0, 51]).reshape(2, 1, 1, 1),
        "text": np.array(["a", "b"]),
    }
    found = ends(Preparation(), chunks_of(MemoryStore(x)))
    assert found == ([3, 0, None], [70, np.float32(0.2), None])


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.full((2, 3), np.nan)])
def test_without_finite_numbers_there_is_no_range(x):
    found = measured(Preparation(), [x])
    assert found.low == found.high == [None]
    assert bool(found.outside(tf.constant([1e9]))[0])


def test_not_finite_numbers_are_left_out_and_all_else_is_kept():
    x = np.float32([[np.nan, 1], [np.inf, -4]])
    preparation = Preparation(pictures=(8, 8, 1))
    found = measured(preparation, [x])
    assert (found.low, found.high) == ([-4], [1])
    assert found.layer is preparation.layer and found.pictures == preparation.pictures
