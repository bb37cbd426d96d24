"""Numbers that a net's dtype cannot hold are refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.prepare.castable import check_castable, check_inputs


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (np.int64([0, 2**31 - 1, -(2**31)]), tf.int32, None),
        (np.int64([3, 2**31]), tf.int32, "in -2147483648..2147483647, .* 2147483648"),
        (np.int64([2**62]), tf.int64, None),
        (np.uint64([2**63]), tf.int64, "takes int64.* Received: 9223372036854775808"),
        (np.int32([-1]), tf.uint8, r"in 0\.\.255, .* takes uint8. Received: -1"),
        (np.float32([1, -2, 300]), tf.int32, None),
        (np.float64([1, 0.5]), tf.int32, " numbers, .* takes int32.* 0.5. Use"),
        (np.float32([np.nan]), tf.int32, "Received: nan"),
        (np.float32([np.inf]), tf.int32, "Received: inf"),
        (np.float64([2.0**40]), tf.int32, "Received: 1099511627776. Number what"),
        (np.int64([2**24, -(2**24)]), tf.float32, None),
        (np.int64([2**24 + 1]), tf.float32, r"16777216, .* float32.* 16777217. Use a"),
        (np.int64([-(2**24) - 1]), tf.float32, "Received: -16777217"),
        (np.int64([2**24 + 1]), tf.float64, None),
        (np.int64([2**53 + 1]), tf.float64, "takes float64"),
        (np.int64([2049]), tf.float16, r"-2048\.\.2048"),
        (np.uint8([255]), tf.bfloat16, None),
        (np.float64([1e-30, 1 / 3, 1e30]), tf.float32, None),
        (np.array([True]), tf.float32, None),
        (np.array([True]), tf.int32, None),
        (np.zeros((0, 3)), tf.int32, None),
    ],
)
def test_what_a_dtype_holds(values, dtype, expected) -> None:
    if expected is None:
        assert check_castable("x", values, dtype) is None
    else:
        with pytest.raises(ValueError, match=f"^x must hold whole.*{expected}"):
            check_castable("x", values, dtype)


def test_each_leaf_is_held_against_its_own_input() -> None:
    inputs = {"a": tf.TensorSpec((None,), tf.int64), "b": tf.TensorSpec((None, 2))}
    good = {"a": np.int64([[2**40]]), "b": np.float32([[[0.5, 1]]])}
    assert check_inputs({"support_x": good, "query_x": good}, inputs) is None
    bad = {**good, "b": np.int64([[[2**40, 0]]])}
    with pytest.raises(ValueError, match="^query_x_b must hold whole numbers in"):
        check_inputs({"support_x": good, "query_x": bad}, inputs)
    rows = {"support_x": tf.constant([[[2**40]]]), "query_x": tf.constant([[[0]]])}
    with pytest.raises(ValueError, match="^support_x must hold .* takes float32"):
        check_inputs(rows, None)
