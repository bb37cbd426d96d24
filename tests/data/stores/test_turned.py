"""Pictures that are turned as they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.stores.fitted import FittedStore
from tfmeta.data.stores.memory import MemoryStore, aligned, as_tensor, in_memory
from tfmeta.data.stores.turned import TurnedStore


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_turned_pictures_are_numpys(channels, shape):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (3, 5, 5, channels), np.uint8)
    store = TurnedStore(MemoryStore(x))
    assert len(store) == 12 and store.place == "memory"
    ids = rng.integers(0, 12, shape)
    found = tf.function(store.take)(tf.constant(ids))
    assert found.shape == (*shape, *x.shape[1:])
    turned = [np.rot90(x[i % 3], i // 3) for i in np.ravel(ids)]
    np.testing.assert_array_equal(found, np.reshape(turned, found.shape))


def test_pictures_are_fitted_as_they_are_drawn():
    x = np.uint8([[[[10], [20]], [[30], [40]]], [[[0], [0]], [[0], [2]]]])
    store = FittedStore(MemoryStore(x), size=1, channels=3)
    assert (store.shape, len(store)) == ((1, 1, 3), 2)
    np.testing.assert_array_equal(store.read(np.array([1, 0]))[:, 0, 0, 0], [0, 25])
    np.testing.assert_array_equal(in_memory(store).x[:, 0, 0], [[25] * 3, [0] * 3])


def test_numbers_are_read_where_they_lie():
    """The tensor has the array's own memory: what is written there is seen."""
    array = aligned((3, 2), np.float32)
    array[:] = 1
    tensor = as_tensor(array)
    array[1, 1] = 7
    assert tensor[1, 1].numpy() == 7
    store = MemoryStore(array)
    assert store.x is array


@pytest.mark.parametrize(
    "array",
    [
        np.arange(70, dtype=np.uint8)[1:],
        np.arange(12.0).reshape(3, 4)[:, 1:],
        np.arange(3, dtype=">i4"),
        np.array([True, False]),
        np.array(["a", "b"]),
        np.zeros((0, 3), np.float32),
    ],
    ids=str,
)
def test_any_array_can_be_held(array):
    store = MemoryStore(array)
    everything = store.take(tf.range(len(array), dtype=tf.int64))
    np.testing.assert_array_equal(everything.numpy().astype(array.dtype), array)
    assert store.shape == array.shape[1:]
