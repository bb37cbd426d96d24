"""Pictures become floats in 0..1; all other examples stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import Split, episodes
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.pipeline.examples import examples
from tfmeta.data.prepare.scale_pictures import ScalePictures


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((4, 5, 1), np.uint8, True),
        ((4, 5, 3), tf.uint8, True),
        (tf.TensorShape((4, 5, 3)), np.dtype("uint8"), True),
        ((4, 5, 4), np.uint8, False),
        ((4, 5, 1), np.int32, False),
        ((4, 5, 1), np.float32, False),
        ((4, 5), np.uint8, False),
        ((3,), np.uint8, False),
        ((), np.uint8, False),
        ((2, 4, 5, 3), np.uint8, False),
    ],
)
def test_what_a_picture_is(shape, dtype, expected) -> None:
    assert is_picture(shape, dtype) is expected


def split(x) -> Split:
    return Split("train", x, np.repeat([0, 1], 3), ("a", "b"))


def test_each_leaf_of_a_nest_is_drawn_raw_and_scaled_alone() -> None:
    draws = np.random.default_rng(0)
    x = {
        "picture": draws.integers(0, 256, (6, 4, 4, 1)).astype(np.uint8),
        "tokens": draws.integers(0, 256, (6, 5)).astype(np.uint8),
        "flag": draws.integers(0, 2, (6, 3)).astype(bool),
        "ids": draws.integers(0, 10**12, (6,)),
    }
    batch, _ = next(iter(episodes(split(x), way=2, shot=2, query=1)))
    got = {name: leaf[0].numpy() for name, leaf in batch["support_x"].items()}
    order = [x["ids"].tolist().index(i) for i in got["ids"]]
    expected = {name: leaf[order] for name, leaf in x.items()}
    scaled = ScalePictures()({n: tf.constant(leaf) for n, leaf in got.items()})
    in_a_net = {**expected, "picture": (expected["picture"] / 255).astype(np.float32)}
    for name in x:
        assert got[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(got[name], expected[name])
        assert scaled[name].dtype == in_a_net[name].dtype
        np.testing.assert_allclose(scaled[name], in_a_net[name], rtol=1e-7)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float64"])
def test_rows_of_numbers_keep_their_dtype(dtype) -> None:
    x = np.arange(12).reshape(6, 2).astype(dtype)
    batch, _ = next(iter(episodes(split(x), way=2, shot=1, query=2)))
    single, _ = next(iter(examples(split(x), batch_size=4)))
    for got in (batch["support_x"][0], batch["query_x"][0], single):
        assert got.dtype == dtype
        assert {tuple(row) for row in got.numpy()} <= {tuple(row) for row in x}
