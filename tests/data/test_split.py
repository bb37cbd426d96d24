from __future__ import annotations

import numpy as np
import pytest

from tfmeta.data import Source, Split


def make(name="train", names=("a", "b"), y=(0, 0, 1), x=None):
    x = np.zeros((len(y), 2, 2, 1), np.uint8) if x is None else x
    return Split(name, x, np.asarray(y), names)


def test_a_split_knows_its_classes():
    split = make(names=("a", "b", "c"), y=(0, 0, 1, 2, 2, 2))
    assert split.num_classes == 3
    assert split.counts.tolist() == [2, 1, 3]
    assert split.starts.tolist() == [0, 2, 3]
    assert split.example_shape == (2, 2, 1)
    assert split.y.dtype == split.counts.dtype == split.starts.dtype == np.int32


def test_a_split_may_be_empty():
    split = make(names=(), y=np.zeros(0, np.int32))
    assert (split.num_classes, split.counts.shape) == (0, (0,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"names": ("a", "a")}, "names 'a' twice"),
        ({"y": (0.0, 0.0, 1.0)}, "integer class ids"),
        ({"x": np.zeros((2, 4))}, "same length"),
        ({"y": (0, 1, 2)}, r"must lie in 0..1"),
        ({"y": (-1, 0, 1)}, r"must lie in 0..1"),
        ({"y": (1, 0, 1)}, "must be sorted"),
        ({"y": (1, 1, 1)}, "has none of 'a'"),
    ],
)
def test_a_split_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        make(**change)


def source(**change):
    splits = {part: make(part, (f"{part}1", f"{part}2")) for part in ("train", "val")}
    splits |= {"test": make("test", ("e", "f"))} | change
    return Source("toy", **splits)


def test_a_source_holds_three_splits():
    assert source().val.class_names == ("val1", "val2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": make("test", ("e", "train2"))}, "'train2' of 'toy' is in 'train'"),
        ({"test": make("val", ("e", "f"))}, "must be named 'test'"),
        ({"test": make("test", ("e", "f"), x=np.zeros((3, 4)))}, "one shape and dtype"),
    ],
)
def test_a_source_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        source(**change)
