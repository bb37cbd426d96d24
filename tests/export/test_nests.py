"""Names of adapted tensors."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import tensorflow as tf

from tfmeta.core.nests import named


class Pair(NamedTuple):
    mean: int
    count: int


def test_names_say_where_a_tensor_is():
    nest = {"params": [1, 2], "present": 3, "state": [], "a": Pair(4, 5)}
    assert named(nest) == {
        "params_00": 1,
        "params_01": 2,
        "present": 3,
        "a_mean": 4,
        "a_count": 5,
    }
    assert named(7) == {"adapted": 7}


@pytest.mark.parametrize("nest", [{"b": [3, 1], "a": (2, {"z": 0, "c": 9})}, [1] * 120])
def test_the_order_is_that_of_tf_nest(nest):
    assert list(named(nest).values()) == tf.nest.flatten(nest)
    assert len(named([1] * 120)) == 120


def test_equal_names_are_refused():
    with pytest.raises(ValueError, match="a name of its own"):
        named({"a_00": 1, "a": [2]})
