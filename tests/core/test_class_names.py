"""The codec of names and labels, against NumPy's order."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import class_names

graph = tf.function(
    class_names.encode_in_graph,
    input_signature=[tf.TensorSpec([None], tf.string)],
    autograph=False,
)
extend = tf.function(class_names.extend_in_graph, autograph=False)


def unicode_names(count: int, seed: int) -> list[str]:
    """Names of 1 to 40 characters of one to four bytes, many of them prefixes."""
    draws = np.random.default_rng(seed)
    ranges = [(0x20, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0x10000, 0x10FFFF)]
    stems = ["", "a", "häuser-und-", "Ω" * 9]
    names = []
    for _ in range(count):
        low, high = ranges[draws.integers(4)]
        letters = [chr(c) for c in draws.integers(low, high, draws.integers(1, 9))]
        names.append(stems[draws.integers(4)] + "".join(letters) * draws.integers(1, 4))
    return names


def same(names: list[str]) -> None:
    classes, labels = class_names.encode(np.array(names))
    found, numbers = graph(tf.constant(names))
    told = [name.decode() for name in found.numpy()]
    # Python sorts texts by code point. NumPy drops zero characters at the end.
    assert told == sorted(set(names))
    assert [told[i] for i in numbers.numpy()] == names
    assert numbers.dtype == tf.int32 and labels.dtype == np.int32
    if not any(name.endswith("\0") for name in names):
        assert told == classes.tolist()
        np.testing.assert_array_equal(numbers, labels)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_the_graph_and_python_agree_on_random_names(count: int) -> None:
    for seed in range(4):
        names = unicode_names(count, seed)
        same(names + names[: count // 2])


@pytest.mark.parametrize(
    "names",
    [
        ["b", "a", "ab", "abc", "abcdefgh", "abcdefghi", "abcdefg", "a"],
        ["é", "e", "z", "\x7f", "\x80", "ÿ", "Ā", "\uffff", "\U00010000"],
        ["10", "9", "1", "100"],
        ["a", "a\0", "a\0\0", "a\0b", "a\x01"],
        ["x" * 1000 + "b", "x" * 1000 + "a", "x" * 1000],
    ],
)
def test_names_with_a_known_order(names: list[str]) -> None:
    same(names)


def test_no_names_have_no_classes() -> None:
    classes, labels = graph(tf.constant([], tf.string))
    assert classes.shape == labels.shape == (0,)


def test_numbers_are_sorted_as_numbers() -> None:
    classes, labels = class_names.encode(np.array([10, 9, 10]))
    assert classes.tolist() == [9, 10] and labels.tolist() == [1, 0, 1]


def test_known_classes_keep_their_labels_and_new_ones_follow() -> None:
    before, names = ["owl", "wren"], ["wren", "tit", "auk", "owl", "tit"]
    classes, labels = extend(tf.constant(before), tf.constant(names))
    assert classes.numpy().tolist() == [b"owl", b"wren", b"auk", b"tit"]
    assert labels.numpy().tolist() == [1, 3, 2, 0, 3] and labels.dtype == tf.int32
    classes, labels = extend(tf.constant(before), tf.constant(["owl"]))
    assert classes.numpy().tolist() == [b"owl", b"wren"]
    assert labels.numpy().tolist() == [0]


@pytest.mark.parametrize("names", [["a", ""], [b"", b"b"], [""]])
def test_an_empty_name_is_refused(names: list) -> None:
    with pytest.raises(ValueError, match="must not be empty.*Give each class a name"):
        class_names.encode(np.array(names))
    with pytest.raises(ValueError, match="not empty"):
        class_names.class_texts(names)


def test_texts_of_classes() -> None:
    assert class_names.class_texts(["wren", "é".encode(), 3]) == ["wren", "é", "3"]
    with pytest.raises(ValueError, match="'3', more than once. Rename"):
        class_names.class_texts([3, "owl", "3"])
    with pytest.raises(ValueError, match="at least one class"):
        class_names.class_texts([])
