"""Turned pictures equal those that NumPy turns."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.stores.memory import MemoryStore
from tfmeta.data.stores.turned import TurnedStore


@pytest.mark.parametrize("in_graph", [False, True])
def test_ids_count_the_turns(in_graph):
    x = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 2)).astype(np.uint8)
    store = TurnedStore(MemoryStore(x))
    expected = np.concatenate([np.rot90(x, r, axes=(1, 2)) for r in range(4)])
    assert (len(store), store.shape, store.dtype) == (12, (4, 4, 2), np.uint8)
    ids = np.random.default_rng(1).integers(0, 12, (5, 6))
    take = tf.function(store.take) if in_graph else store.take
    np.testing.assert_array_equal(take(tf.constant(ids)), expected[ids])
    none = tf.zeros((2, 0), tf.int64)
    assert take(none).shape == (2, 0, 4, 4, 2)


@pytest.mark.parametrize("x", [np.zeros((2, 3, 4, 1)), {"a": np.zeros((2, 3, 3, 1))}])
def test_other_than_square_pictures_are_refused(x):
    with pytest.raises(ValueError, match="Only square pictures"):
        TurnedStore(MemoryStore(x))
