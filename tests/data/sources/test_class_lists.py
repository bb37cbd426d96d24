from __future__ import annotations

import collections
import json

import numpy as np
import pytest

from tfmeta.data import class_lists
from tfmeta.data.sources.class_lists import class_parts

PARTS = ("train", "val", "test")


def sizes(parts):
    return [len(parts[part]) for part in PARTS]


@pytest.fixture(scope="module")
def omniglot_names(real_data):
    """Class names from TFDS's label file, whose lines are like Korean_0."""
    text = (real_data / "tfds/omniglot/3.0.0/label.labels.txt").read_text()
    pairs = [line.rsplit("_", 1) for line in text.split()]
    return [f"{alphabet}/character{int(i) + 1:02d}" for alphabet, i in pairs]


@pytest.fixture(scope="module")
def cifar_names(real_data):
    """Fine classes under their superclasses, as the CIFAR-FS lists pair them."""
    folder = real_data / "splits"
    pairs = [
        pair
        for part in PARTS
        for pair in json.loads((folder / f"cifar_fs_{part}.json").read_text())
    ]
    return ["/".join(pair) for pair in pairs]


def test_vinyals_names_the_characters_of_tfds(omniglot_names, real_data):
    parts = class_parts("vinyals", omniglot_names)
    assert sizes(parts) == [1028, 172, 423]
    for part in PARTS:
        lists = json.loads((real_data / f"splits/omniglot_{part}.json").read_text())
        expected = {
            f"{alphabet}/{character}"
            for half in lists.values()
            for alphabet, characters in half.items()
            for character in characters
        }
        assert {omniglot_names[i] for i in parts[part]} == expected


def test_cifar_lists_name_the_classes_of_tfds(cifar_names, real_data):
    folder = real_data / "tfds/cifar100/3.0.2"
    fine = (folder / "label.labels.txt").read_text().split()
    coarse = (folder / "coarse_label.labels.txt").read_text().split()
    assert sorted(name.split("/")[1] for name in cifar_names) == sorted(fine)
    parts = class_parts("cifar_fs", cifar_names)
    assert sizes(parts) == [64, 16, 20]
    for part in PARTS:
        pairs = json.loads((real_data / f"splits/cifar_fs_{part}.json").read_text())
        assert {cifar_names[i] for i in parts[part]} == {"/".join(p) for p in pairs}
    parts = class_parts("fc100", cifar_names)
    assert sizes(parts) == [60, 20, 20]
    for part in PARTS:
        expected = json.loads((real_data / f"splits/fc100_{part}.json").read_text())
        assert set(expected) <= set(coarse)
        found = collections.Counter(cifar_names[i].split("/")[0] for i in parts[part])
        assert found == dict.fromkeys(expected, 5)


@pytest.mark.parametrize("name", ["cifar_fs", "fc100", "newsgroups", "vinyals"])
def test_shipped_lists_are_disjoint(name):
    lists = class_lists(name)
    entries = [entry for part in PARTS for entry in lists[part]]
    assert len(entries) == len(set(entries)) > 0


def test_a_path_is_read(tmp_path):
    path = tmp_path / "lists.json"
    path.write_text('{"train": ["a"], "test": ["c", "b"]}')
    assert class_lists(str(path)) == {"train": ("a",), "val": (), "test": ("c", "b")}
    parts = class_parts(str(path), ["a", "b", "c"])
    assert [parts[p].tolist() for p in PARTS] == [[0], [], [1, 2]]


def test_a_group_takes_its_classes():
    names = ["x/1", "x/2", "y/1", "y"]
    parts = class_parts({"train": ["x"], "test": ["y/1"]}, names)
    assert [parts[p].tolist() for p in PARTS] == [[0, 1], [], [2]]


@pytest.mark.parametrize(
    ("split", "classes", "expected"),
    [
        ((0.64, 0.16, 0.2), 100, [64, 16, 20]),
        ("0.64,0.16,0.2", 1623, [1039, 260, 324]),  # 1038.72, 259.68, 324.6
        ((0.64, 0.16, 0.2), 3, [1, 1, 1]),
        ((0.9, 0.05, 0.05), 4, [2, 1, 1]),
        ((1, 0, 0), 7, [7, 0, 0]),
        ((0.5, 0, 0.5), 7, [4, 0, 3]),
        (None, 50, [32, 8, 10]),
    ],
)
def test_fractions_are_rounded(split, classes, expected):
    parts = class_parts(split, [str(i) for i in range(classes)], seed=3)
    assert sizes(parts) == expected
    every = np.concatenate(list(parts.values()))
    np.testing.assert_array_equal(np.sort(every), np.arange(classes))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ((0.5, 0.5), "three fractions"),
        ((0.5, 0.5, 0.5), "three fractions"),
        ((1.2, -0.2, 0), "three fractions"),
        ("0.5,0.5", "three fractions"),
        ("no_such_list", "cifar_fs, fc100, newsgroups, vinyals, or the path"),
        ({"train": ["a"], "dev": ["b"]}, "'train', 'val' and 'test', and no other"),
        ({}, "keys"),
        ({"train": "ab"}, "must be a list of names"),
        ({"train": ["z"]}, "'z', which is none of the 3 classes: a, b, c. Correct"),
        ({"train": ["a"], "val": ["a"]}, "'a' is in the class lists 'train' and 'val'"),
        ("vinyals", "'Alphabet_of_the_Magi', which is none"),
    ],
)
def test_what_is_no_split_is_refused(split, message):
    with pytest.raises(ValueError, match=message):
        class_parts(split, ["a", "b", "c"])


def test_too_few_classes_are_refused():
    with pytest.raises(ValueError, match="3 parts needs as many classes.* there are 2"):
        class_parts((0.6, 0.2, 0.2), ["a", "b"])


@pytest.mark.parametrize("text", ["{", "[1]", '{"train": [1]}', '{"train": 3}'])
def test_a_broken_file_is_refused(tmp_path, text):
    path = tmp_path / "lists.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"lists\.json' must be a JSON object"):
        class_lists(str(path))


def test_names_may_be_given_as_numbers():
    found = class_parts({"train": [10, 2], "test": np.array([3])}, ["10", "2", "3"])
    assert {part: ids.tolist() for part, ids in found.items()} == {
        "train": [0, 1],
        "val": [],
        "test": [2],
    }
