"""Examples of several parts go the whole way from arrays to batches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import Split, episodes
from tfmeta.data.contact_sheet import contact_sheet
from tfmeta.data.nested import array_shape, as_arrays, map_shapes
from tfmeta.data.pipeline.examples import examples

SIZES = [9, 12, 10, 9]


def split_of():
    """Every part of an example tells which one it is; none is zero."""
    y = np.repeat(np.arange(len(SIZES)), SIZES)
    ids = np.arange(1, len(y) + 1)
    x = {
        "id": ids,
        "parts": (
            np.tile(ids[:, None, None, None], (1, 2, 2, 1)).astype(np.uint8),
            np.stack([ids, -ids], axis=1).astype(np.float32),
        ),
    }
    return Split("train", x, y, tuple("abcd"))


def check(x, lead):
    """The parts of each example belong together."""
    ids = np.asarray(x["id"])
    image, pair = (np.asarray(leaf) for leaf in x["parts"])
    assert ids.shape == lead and ids.dtype == np.int64
    assert image.shape == (*lead, 2, 2, 1) and image.dtype == np.uint8
    assert pair.shape == (*lead, 2) and pair.dtype == np.float32
    np.testing.assert_array_equal(image[..., 0, 0, 0], ids)
    np.testing.assert_array_equal(pair[..., 0], ids)
    np.testing.assert_array_equal(pair[..., 1], -ids)


def test_episodes_of_nests():
    split = split_of()
    dataset = episodes(split, way=3, shot=2, query=4, tasks=5, count=10)
    tf.nest.assert_same_structure(dataset.element_spec[0]["support_x"], split.x)
    for x, query_y in dataset.as_numpy_iterator():
        check(x["support_x"], (5, 6))
        check(x["query_x"], (5, 12))
        for ids, labels in ((x["support_x"], x["support_y"]), (x["query_x"], query_y)):
            classes = split.y[ids["id"] - 1]
            for task in range(5):
                assert len({*zip(classes[task], labels[task], strict=True)}) == 3


def test_padded_episodes_of_nests():
    options = {"way": 3, "shot": (1, 4), "query": 3, "unequal_shots": True}
    for x, _ in episodes(split_of(), tasks=4, count=20, **options).as_numpy_iterator():
        check(x["support_x"], (4, 12))
        behind = np.arange(12) >= x["support_count"][:, np.newaxis]
        np.testing.assert_array_equal(x["support_x"]["id"] == 0, behind)


def test_ranges_of_nests():
    stream = episodes(split_of(), way=(2, 4), shot=(1, 3), query=2, tasks=3, count=30)
    for x, query_y in stream.as_numpy_iterator():
        check(x["support_x"], x["support_y"].shape)
        check(x["query_x"], query_y.shape)


def test_examples_of_nests():
    x, y = next(iter(examples(split_of(), batch_size=70)))
    check(x, (70,))
    np.testing.assert_array_equal(y, split_of().y[x["id"].numpy() - 1])


def test_a_nest_is_no_picture():
    with pytest.raises(ValueError, match="needs uint8 images.*'id'"):
        contact_sheet(split_of())


def test_shapes_of_nests():
    split = split_of()
    assert array_shape(split.example_shape, split.dtype) is None
    assert split.example_shape == {"id": (), "parts": ((2, 2, 1), (2,))}
    sizes = map_shapes(
        lambda shape, dtype: (dtype.name, len(shape)), split.example_shape, split.dtype
    )
    assert sizes == {"id": ("int64", 0), "parts": (("uint8", 3), ("float32", 1))}
    plain = Split("train", np.zeros((2, 3)), np.int32([0, 0]), ("a",))
    assert array_shape(plain.example_shape, plain.dtype) == (3,)
    assert map_shapes(lambda shape, dtype: shape, plain.example_shape, plain.dtype) == (
        3,
    )
    scalars = Split("train", np.zeros(2), np.int32([0, 0]), ("a",))
    assert (
        map_shapes(lambda shape, dtype: shape, scalars.example_shape, scalars.dtype)
        == ()
    )


class Pair(NamedTuple):
    left: np.ndarray
    right: np.ndarray


def test_nests_may_be_named_tuples():
    x = Pair([[1.0], [2.0]], [1, 2])
    split = Split("train", x, np.int32([0, 0]), ("a",))
    assert split.example_shape == Pair((1,), ())
    assert map_shapes(
        lambda shape, dtype: len(shape), split.example_shape, split.dtype
    ) == Pair(1, 0)
    batch, _ = next(iter(episodes(split, way=1, shot=1, query=1)))
    assert isinstance(batch["support_x"], Pair)


def test_a_list_is_an_array_and_a_tuple_a_nest():
    assert as_arrays([[1, 2], [3, 4]]).shape == (2, 2)
    assert [leaf.shape for leaf in as_arrays(([1, 2], [3.0, 4.0]))] == [(2,), (2,)]
