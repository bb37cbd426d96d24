"""Minibatches against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import Examples
from tfmeta.inner.minibatches import minibatch, spread_order


def test_classes_come_in_turn() -> None:
    labels = tf.constant([2, 2, 0, 2, 1, 0])
    # First ones: 2 (at 0), 0 (2), 1 (4); second: 2 (1), 0 (5); third: 2 (3).
    np.testing.assert_array_equal(spread_order(labels), [0, 2, 4, 1, 5, 3])
    np.testing.assert_array_equal(spread_order(tf.zeros((3, 1))), [0, 1, 2])


def test_minibatches_go_round() -> None:
    support = Examples(tf.range(5) * 10, tf.range(5))
    order = tf.constant([4, 2, 0, 1, 3])
    for step, expected in enumerate([[40, 20], [0, 10], [30, 40], [20, 0]]):
        batch = minibatch(support, order, tf.constant(step), 2)
        np.testing.assert_array_equal(batch.x, expected)
        np.testing.assert_array_equal(batch.x, batch.y * 10)
    whole = minibatch(support, order, tf.constant(3), 9)
    np.testing.assert_array_equal(sorted(whole.y.numpy()), range(5))


def test_minibatches_of_nests() -> None:
    support = Examples({"a": tf.range(3), "b": tf.ones((3, 2))}, tf.range(3))
    batch = minibatch(support, tf.constant([2, 0, 1]), tf.constant(0), 2)
    assert batch.x["a"].numpy().tolist() == [2, 0] and batch.x["b"].shape == (2, 2)


def turns(labels: np.ndarray) -> list[int]:
    """The order in plain Python: by how many of its class come before, then place."""
    seen: dict[int, int] = {}
    before = []
    for label in labels.tolist():
        before.append(seen.get(label, 0))
        seen[label] = before[-1] + 1
    return sorted(range(len(labels)), key=lambda i: (before[i], i))


@pytest.mark.parametrize("ways", [1, 3, 100_000])
def test_the_order_of_a_huge_set_takes_no_matrix(ways: int) -> None:
    # A matrix of examples by examples would be 10 GB, even of single bytes.
    labels = np.random.default_rng(0).integers(0, ways, 100_000).astype(np.int32)
    order = tf.function(spread_order)(tf.constant(labels)).numpy()
    np.testing.assert_array_equal(order, turns(labels))


@pytest.mark.parametrize("count", [0, 1, 2, 17])
def test_the_order_of_small_sets(count: int) -> None:
    labels = np.random.default_rng(count).integers(0, 4, count).astype(np.int32)
    order = spread_order(tf.constant(labels)).numpy()
    np.testing.assert_array_equal(order, turns(labels))
