"""Nests: rows, joints, names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import nests


class Pair(NamedTuple):
    a: int
    b: int


def test_names_say_where_a_leaf_is() -> None:
    nest = {"params": [1, 2], "state": Pair(3, [4]), "present": 5}
    assert nests.named(nest) == {
        "params_00": 1,
        "params_01": 2,
        "present": 5,
        "state_a": 3,
        "state_b_00": 4,
    }
    assert list(nests.named(nest).values()) == tf.nest.flatten(nest)


def test_names_with_a_prefix() -> None:
    assert nests.named({"image": 1, "age": 2}, "query_x") == {
        "query_x_age": 2,
        "query_x_image": 1,
    }
    assert nests.named(7, "query_x") == {"query_x": 7}
    assert nests.named(7) == {"adapted": 7}


@pytest.mark.parametrize(
    ("count", "first", "last"), [(100, "p_00", "p_99"), (101, "p_000", "p_100")]
)
def test_numbers_keep_the_order_of_long_lists(count, first, last) -> None:
    names = list(nests.named({"p": list(range(count))}))
    assert [names[0], names[-1]] == [first, last] and names == sorted(names)


def test_two_leaves_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        nests.named({"a": {"b": 1}, "a_b": 2})


def test_rows_and_joints() -> None:
    x = {"a": tf.range(6), "b": tf.reshape(tf.range(12), (6, 2))}
    some = nests.take(x, [4, 0])
    assert some["a"].numpy().tolist() == [4, 0]
    assert some["b"].numpy().tolist() == [[8, 9], [0, 1]]
    both = nests.concat(some, nests.take(x, [1]))
    assert both["a"].numpy().tolist() == [4, 0, 1]
    assert nests.count(x) == 6 == int(nests.count(tf.zeros((6, 2))))


def test_flat_rows_hold_all_numbers() -> None:
    x = {"a": tf.reshape(tf.range(12.0), (2, 3, 2)), "b": tf.constant([[7], [8]])}
    got = nests.flat(x).numpy()
    np.testing.assert_array_equal(got, [[0, 1, 2, 3, 4, 5, 7], [6, 7, 8, 9, 10, 11, 8]])
    assert nests.flat(tf.zeros((0, 3, 2))).shape == (0, 6)
