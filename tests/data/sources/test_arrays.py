from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import from_arrays

PARTS = ("train", "val", "test")


def toy(classes=10, each=4, seed=0):
    """Returns shuffled examples that carry their label in every pixel."""
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(classes), each))
    return np.broadcast_to(y[:, None, None, None], (len(y), 3, 3, 1)).astype(
        np.uint8
    ), y


def check(source, each=4):
    """The splits share no class and every example is in its class."""
    for part in PARTS:
        split = getattr(source, part)
        names = np.array(split.class_names, dtype=object)
        np.testing.assert_array_equal(names[split.y].astype(int), split.x[:, 0, 0, 0])
        np.testing.assert_array_equal(split.counts, each)


def test_fractions_share_out_the_classes():
    source = from_arrays(*toy(), split=(0.6, 0.2, 0.2))
    check(source)
    assert [getattr(source, p).num_classes for p in PARTS] == [6, 2, 2]
    names = [name for p in PARTS for name in getattr(source, p).class_names]
    assert sorted(names) == sorted(map(str, range(10)))


def test_the_seed_chooses_the_classes():
    def names(seed):
        return from_arrays(*toy(), seed=seed).test.class_names

    assert names(0) == names(0)
    assert len({names(seed) for seed in range(8)}) > 3


def test_the_order_of_examples_does_not_choose_the_classes():
    assert (
        from_arrays(*toy(seed=0)).test.class_names
        == from_arrays(*toy(seed=1)).test.class_names
    )


def test_class_lists_choose_the_classes():
    names = list("abcdefghij")
    lists = {"train": ["c", "a"], "test": ["j"]}
    source = from_arrays(*toy(), class_names=names, split=lists)
    assert source.train.class_names == ("a", "c")
    assert source.val.num_classes == 0
    assert np.all(source.test.x == 9)


def test_labels_may_be_strings_and_names_may_be_unused():
    x, y = toy(3)
    source = from_arrays(x, np.array(["ant", "bee", "cat"])[y], split=(0.4, 0.3, 0.3))
    assert sorted(source.train.class_names + source.val.class_names) == ["ant", "cat"]
    names = [f"n{i}" for i in range(20)]
    source = from_arrays(x, y * 5, class_names=names, split={"train": ["n5", "n10"]})
    assert np.all(source.train.x == np.repeat([1, 2], 4)[:, None, None, None])
    with pytest.raises(ValueError, match="names 'n7', which is none of the 3 classes"):
        from_arrays(x, y * 5, class_names=names, split={"train": ["n7"]})


def test_three_splits_may_be_given():
    x, y = toy()
    masks = [y < 5, (y >= 5) & (y < 7), y >= 7]
    source = from_arrays([x[m] for m in masks], [y[m] for m in masks])
    check(source)
    assert source.val.class_names == ("5", "6")
    with pytest.raises(
        ValueError, match="share no class, but '0' .* 'train' and 'val'"
    ):
        from_arrays([x, x, x], [y, y, y])


def test_grey_images_get_a_channel_axis():
    x, y = toy()
    assert from_arrays(x[..., 0], y).train.example_shape == (3, 3, 1)
    floats = np.zeros((40, 3, 3), np.float32)
    assert from_arrays(floats, y).train.example_shape == (3, 3)


def test_examples_may_have_several_parts():
    x, y = toy()
    source = from_arrays({"image": x[..., 0], "label": y, "wide": y * 10**10}, y)
    for part in PARTS:
        split = getattr(source, part)
        names = np.array(split.class_names, dtype=object)[split.y].astype(int)
        np.testing.assert_array_equal(split.x["image"][:, 0, 0, 0], names)
        np.testing.assert_array_equal(split.x["label"], names)
        np.testing.assert_array_equal(split.x["wide"], names * 10**10)
    assert source.val.example_shape == {"image": (3, 3, 1), "label": (), "wide": ()}
    masks = [y < 5, (y >= 5) & (y < 7), y >= 7]
    three = from_arrays([{"label": y[m]} for m in masks], [y[m] for m in masks])
    assert three.val.class_names == ("5", "6")
    with pytest.raises(ValueError, match=r"x\['b'\] must hold finite numbers"):
        from_arrays({"a": y, "b": np.where(y == 3, np.nan, 0)}, y)
    with pytest.raises(ValueError, match=r"x\['a'\] and x\['b'\] and y must have"):
        from_arrays({"a": y, "b": y[1:]}, y)


def test_rotations_quadruple_the_classes_of_each_split():
    source = from_arrays(*toy(), split=(0.6, 0.2, 0.2), rotations=True)
    assert [getattr(source, p).num_classes for p in PARTS] == [24, 8, 8]


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.zeros((4, 2)), np.zeros(3, int), {}, r"same length.*\(4, 2\).*\(3,\)"),
        (np.zeros((4, 2)), np.zeros((4, 1), int), {}, r"vector of labels.*y\[:, 0\]"),
        (np.zeros((4, 2)), np.eye(4, dtype=int), {}, r"y\.argmax\(-1\)"),
        (np.zeros((4, 2)), [0.0, 1.0, np.nan, 1.0], {}, "NaN in 1 of 4 examples"),
        (iter(range(4)), np.arange(4), {}, "x must be an array or a list.*_iterator"),
        (np.zeros((4, 2)), None, {}, "y must be an array or a list.*NoneType"),
        (np.array([[1.0, None]] * 4, object), np.arange(4), {}, "object. Fill in what"),
        (np.zeros(4, "M8[s]"), np.arange(4), {}, "datetime.*Convert them to numbers"),
        (np.zeros((4, 2)), np.arange(4), {"class_names": "abca"}, "each class diff"),
        (
            np.zeros((4, 2)),
            np.zeros(4),
            {},
            "Float y .* array called tasks.* Give that array, or",
        ),
        (np.zeros((4, 2)), np.zeros(4, complex), {}, "integers, bools or strings"),
        (np.zeros((4, 2)), np.array(["a", "b", None, "c"], object), {}, "'c', None"),
        (np.zeros((4, 2)), ["a", "b", 1, "c"], {}, "y must hold texts alone.*'c', 1."),
        (np.zeros((4, 2)), [[0], [1, 2], [0], [0]], {}, "y must .*one shape"),
        ([np.zeros(2), np.zeros(3)], np.arange(2), {}, "x must .*of one shape.* pad"),
        (np.array([np.zeros(2), np.zeros(3)], object), [0, 1], {}, "x must .* pad"),
        (np.array(["a", "b", "", "d"]), [0, 0, 1, 1], {}, "no empty text.*number 2"),
        (np.array([None] * 4), np.zeros(4, int), {}, "must hold numbers"),
        (
            np.array([[0, 1], [np.nan, 2], [3, 4], [5, np.inf]]),
            np.zeros(4, int),
            {},
            "infinite values in 2 of 4 examples, the first in number 1",
        ),
        (np.zeros((4, 2)), np.arange(4), {"class_names": "abc"}, r"labels in 0\.\.2"),
        (np.zeros((4, 2)), np.array(list("abcd")), {"class_names": "abcd"}, "strings"),
        (np.zeros((4, 2)), np.arange(4), {"rotations": True}, "square images"),
        ([np.zeros((4, 2))] * 2, [np.arange(4)] * 2, {}, "three each"),
        (
            [np.zeros((4, 2))] * 3,
            [np.arange(4)] * 3,
            {"split": "fc100"},
            "Leave out split",
        ),
    ],
)
def test_what_does_not_fit_is_refused(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(x, y, **options)


def test_labels_may_be_objects_or_bools():
    x, y = toy(3)
    names = np.array(["ant", "bee", "cat"])[y]
    given = [names.astype(object), names.tolist(), tuple(names), names.astype("S3")]
    sources = [from_arrays(x, each, split=(0.4, 0.3, 0.3)) for each in (names, *given)]
    for source in sources[1:]:
        for part in PARTS:
            one, other = getattr(source, part), getattr(sources[0], part)
            assert one.class_names == other.class_names
            np.testing.assert_array_equal(one.x, other.x)
    lists = {"train": ["False"], "val": ["True"]}
    for column in (y == 2, (y == 2).astype(object)):
        source = from_arrays(x, column, split=lists)
        assert np.all(source.val.x == 2) and len(source.train.x) == 8
    lists = {"train": ["no"], "val": ["yes"]}
    source = from_arrays(x, y == 2, class_names=["no", "yes"], split=lists)
    assert np.all(source.val.x == 2)


def test_examples_may_be_a_list_of_arrays():
    x, y = toy(3, each=1)
    objects = np.empty(3, object)
    objects[:] = list(x)
    expected = from_arrays(x, y)
    for given in (list(x), x.tolist(), objects):
        for labels in (y, y.tolist()):
            source = from_arrays(given, labels)
            np.testing.assert_array_equal(source.train.x, expected.train.x)
            assert source.train.class_names == expected.train.class_names
    values = np.linspace(0, 1, 3)
    expected = from_arrays(x, values, tasks=y).train
    got = from_arrays(list(x), [[v] for v in values], tasks=y.tolist()).train
    np.testing.assert_array_equal(got.x, expected.x)
    np.testing.assert_array_equal(got.y, expected.y)
    # An example of two inputs, beside three parts of lists.
    assert from_arrays((x, y), y).train.example_shape == ((3, 3, 1), ())
    parts = from_arrays([list(x[y == c]) for c in range(3)], [[0], [1], [2]])
    assert parts.test.class_names == ("2",) and np.all(parts.test.x == 2)


class Column:
    """A column of another library, which NumPy reads as an array."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


def test_columns_and_tensors_may_be_given_for_each_part():
    x, y = toy()
    masks = [y < 5, (y >= 5) & (y < 7), y >= 7]
    for kind in (Column, tf.constant):
        source = from_arrays([kind(x[m]) for m in masks], [kind(y[m]) for m in masks])
        check(source)
        assert source.val.class_names == ("5", "6")


def test_a_layer_prepares_examples_and_may_be_adapted_to_the_training_part():
    x = np.random.default_rng(0).normal(50, 20, (40, 3))
    layer = keras.layers.Normalization()
    y = np.arange(40) % 10
    for options in ({}, {"tasks": y}):
        source = from_arrays(x, y * 1.0 if options else y, prepare=layer, **options)
        layer.adapt(source.train.x)
        expected = (source.train.x - source.train.x.mean(0)) / source.train.x.std(0)
        assert source.prepare.low == pytest.approx([expected.min()], rel=1e-4)
        assert source.prepare.high == pytest.approx([expected.max()], rel=1e-4)
        assert source.test.prepare.layer is layer
