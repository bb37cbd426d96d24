from __future__ import annotations

import numpy as np
import pytest

from tfmeta.core.targets import Labels, Values
from tfmeta.data import Source, Split, load


def make(name="train", names=("a", "b"), y=(0, 0, 1), x=None):
    x = np.zeros((len(y), 2, 2, 1), np.uint8) if x is None else x
    return Split(name, x, np.asarray(y), names)


def test_a_split_knows_its_classes():
    split = make(names=("a", "b", "c"), y=(0, 0, 1, 2, 2, 2))
    assert split.num_classes == 3
    assert split.counts.tolist() == [2, 1, 3]
    assert split.starts.tolist() == [0, 2, 3]
    assert split.example_shape == (2, 2, 1)
    assert split.y.dtype == np.int32
    assert split.counts.dtype == split.starts.dtype == np.int64


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


def test_examples_may_be_nests():
    x = {"a": np.zeros((3, 2), np.uint8), "b": [np.zeros(4), np.ones(4), np.ones(4)]}
    split = make(x=x)
    assert split.example_shape == {"a": (2,), "b": (4,)}
    assert split.dtype == {"a": np.uint8, "b": np.float64}
    with pytest.raises(ValueError, match=r"same length.*\(3, 2\), \(2,\) and y"):
        make(x={**x, "b": np.zeros(2)})
    with pytest.raises(ValueError, match="same length. Received: x of shape none"):
        make(x={})


def test_a_part_tells_what_its_targets_are():
    split = make()
    assert split.targets == Labels() and split.group_names == ("a", "b")
    functions = load("lines").train
    assert functions.targets == Values() and functions.group_names == ()


def source(**change):
    splits = {part: make(part, (f"{part}1", f"{part}2")) for part in ("train", "val")}
    splits |= {"test": make("test", ("e", "f"))} | change
    return Source("toy", **splits)


def test_a_source_holds_three_splits():
    assert source().val.class_names == ("val1", "val2")


def test_the_identity_is_what_run_folders_hold():
    """Golden: a change makes every run folder one of other data."""
    identity = source().identity()
    assert {p: each["classes"] for p, each in identity.items()} == {
        "train": "a19403906fce7023",
        "val": "2eadf2ea97795181",
        "test": "47f3ec1ad54c9e63",
    }
    assert {each["counts"] for each in identity.values()} == {"b7521f6360fee522"}
    nothing = {"classes": "71857576257465c7", "counts": "71857576257465c7"}
    assert load("lines").identity()["test"] == nothing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": make("test", ("e", "train2"))}, "'train2' of 'toy' is in 'train'"),
        ({"test": make("val", ("e", "f"))}, "must be named 'test'"),
        ({"test": make("test", ("e", "f"), x=np.zeros((3, 4)))}, "one shape and dtype"),
        (
            {
                "test": make(
                    "test", ("e", "f"), x={"a": np.zeros((3, 2, 2, 1), "uint8")}
                )
            },
            "one shape and dtype",
        ),
    ],
)
def test_a_source_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        source(**change)
