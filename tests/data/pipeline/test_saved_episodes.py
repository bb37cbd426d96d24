"""Episodes in a file are those of the stream, and of no other data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import (
    Split,
    TaskSplit,
    episodes,
    frozen_episodes,
    load,
    save_episodes,
)

SIZES = [9, 7, 8, 9, 12]
OPTIONS = {"way": 3, "shot": 2, "query": 4, "seed": 5, "count": 7}


def split_of(**changes):
    y = np.repeat(np.arange(len(SIZES)), SIZES)
    x = np.random.default_rng(0).integers(0, 256, (len(y), 3, 2, 1)).astype(np.uint8)
    arguments = {"name": "test", "x": x, "y": y, "class_names": tuple("abcde")}
    return Split(**{**arguments, **changes})


@pytest.fixture
def path(tmp_path):
    return save_episodes(tmp_path / "episodes.npz", split_of(), **OPTIONS)


def same(left, right):
    assert left.element_spec == right.element_spec
    left, right = (list(d.as_numpy_iterator()) for d in (left, right))
    for one, other in zip(left, right, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("tasks", [1, 3, 7, 10])
def test_the_dataset_is_that_of_the_stream(path, tasks):
    frozen = frozen_episodes(path, split_of(), tasks=tasks)
    same(frozen, episodes(split_of(), tasks=tasks, **OPTIONS))


def test_many_episodes_and_all_that_is_left(tmp_path):
    split = split_of(x=np.arange(30.0)[:, None], y=np.repeat(np.arange(5), 6))
    options = {"way": 5, "shot": 1, "query": None, "count": 1003}
    path = save_episodes(tmp_path / "many.npz", split, **options)
    same(frozen_episodes(path, split, tasks=100), episodes(split, tasks=100, **options))


def test_the_file_holds_ids_and_how_they_were_drawn(path):
    with np.load(path) as file:
        about = json.loads(str(file["about"]))
        assert set(file.files) == {"about", "support", "support_y", "query", "query_y"}
        assert file["query"].shape == (7, 12) and file["query"].dtype == np.int64
        assert file["query_y"].dtype == np.int32
    assert about.pop("checksum")
    assert about == {"split": "test", **OPTIONS}
    assert [p.name for p in path.parent.iterdir()] == ["episodes.npz"]


# What a file of int32 ids held, and the checksum of `split_of()` in it.
OLD_CHECKSUM = "5911aa7e0503ebf067a7f4e987b88117"
OLD_SUPPORT = [[43, 41, 7, 3, 13, 12], [31, 29, 41, 34, 9, 15]]
OLD_QUERY = [
    [42, 39, 44, 33, 6, 0, 4, 8, 15, 10, 11, 14],
    [24, 30, 26, 27, 33, 38, 36, 40, 14, 11, 12, 10],
]


def test_a_file_of_int32_ids_is_read_to_the_bit(tmp_path):
    about = {"split": "test", "checksum": OLD_CHECKSUM, "seed": 5, "way": 3}
    about |= {"shot": 2, "query": 4, "count": 2}
    labels = np.arange(3, dtype=np.int32)
    arrays = {
        "support": np.array(OLD_SUPPORT, np.int32),
        "support_y": np.tile(np.repeat(labels, 2), (2, 1)),
        "query": np.array(OLD_QUERY, np.int32),
        "query_y": np.tile(np.repeat(labels, 4), (2, 1)),
    }
    path = tmp_path / "old.npz"
    np.savez_compressed(path, about=np.array(json.dumps(about)), **arrays)
    x, query_y = next(iter(frozen_episodes(path, split_of(), tasks=2)))
    for name, ids in (("support_x", OLD_SUPPORT), ("query_x", OLD_QUERY)):
        np.testing.assert_array_equal(x[name], split_of().x[np.array(ids)])
    np.testing.assert_array_equal(x["support_y"], arrays["support_y"])
    np.testing.assert_array_equal(query_y, arrays["query_y"])
    np.testing.assert_array_equal(x["episode"], [0, 1])


def test_a_query_of_an_absent_class_is_refused(path):
    with np.load(path) as file:
        labels = file["support_y"].copy()
    labels[4][labels[4] == 2] = 1
    rewritten(path, support_y=labels)
    with pytest.raises(ValueError, match="episode 4 has queries of class 2 and no"):
        frozen_episodes(path, split_of())


def test_examples_may_be_nests(tmp_path):
    whole = split_of()
    parts = {"image": whole.x, "more": (np.arange(45), np.arange(90.0).reshape(45, 2))}
    split = split_of(x=parts)
    path = save_episodes(tmp_path / "nest.npz", split, **OPTIONS)
    same(frozen_episodes(path, split, tasks=2), episodes(split, tasks=2, **OPTIONS))
    for other in (
        {**parts, "image": 255 - whole.x},
        {**parts, "more": (np.arange(45)[::-1], parts["more"][1])},
        {"picture": whole.x, "more": parts["more"]},
        whole.x,
    ):
        with pytest.raises(ValueError, match="holds episodes of other data"):
            frozen_episodes(path, split_of(x=other))


def test_tasks_of_values_are_frozen(tmp_path):
    tasks, names = np.repeat(np.arange(4), 9), tuple("abcd")
    x, y = np.arange(36.0)[:, None], np.arange(72.0).reshape(36, 2)
    split = TaskSplit("test", x, y, tasks, names)
    options = {"shot": 2, "query": 4, "seed": 5, "count": 7}
    path = save_episodes(tmp_path / "tasks.npz", split, **options)
    same(frozen_episodes(path, split, tasks=3), episodes(split, tasks=3, **options))
    with pytest.raises(ValueError, match="holds episodes of other data"):
        frozen_episodes(path, TaskSplit("test", x, y + 1, tasks, names))
    with pytest.raises(ValueError, match="way=3 asks for classes"):
        save_episodes(tmp_path / "f.npz", split, way=3, **options)


def changed_pixel():
    x = split_of().x.copy()
    x[-1, -1, -1] ^= 1
    return {"x": x}


OTHER = {
    "pixels": changed_pixel,
    "names": lambda: {"class_names": ("a", "b", "c", "d", "f")},
    "counts": lambda: {"y": np.sort(np.arange(45) % 5)},
    "split": lambda: {"name": "val"},
    "dtype": lambda: {"x": split_of().x.astype(np.int8)},
    "shape": lambda: {"x": split_of().x.reshape(45, 2, 3, 1)},
}


@pytest.mark.parametrize("what", OTHER)
def test_other_data_is_refused(path, what):
    with pytest.raises(ValueError, match="holds episodes of other data.*'test'"):
        frozen_episodes(path, split_of(**OTHER[what]()))


def rewritten(path, **arrays):
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    np.savez(path, **{**kept, **arrays})


def with_entry(path, name, value):
    with np.load(path) as file:
        array = file[name].copy()
    array[3, 1] = value
    return {name: array}


@pytest.mark.parametrize(
    ("name", "value"),
    [("support", 45), ("query", -1), ("support_y", 3), ("query_y", -1)],
)
def test_what_is_out_of_range_is_refused(path, name, value):
    rewritten(path, **with_entry(path, name, value))
    with pytest.raises(ValueError, match=f"is broken: {name} must be int32"):
        frozen_episodes(path, split_of())


@pytest.mark.parametrize(
    "arrays",
    [
        {"query": np.zeros((7, 11), np.int32)},
        {"support": np.zeros((6, 6), np.int32)},
        {"support_y": np.zeros((7, 6))},
        {"query_y": np.zeros((7, 12), np.int64)},
        {"query": np.zeros((7, 12), np.int16)},
    ],
)
def test_other_shapes_are_refused(path, arrays):
    rewritten(path, **arrays)
    with pytest.raises(ValueError, match=r"is broken: \w+ must be int32"):
        frozen_episodes(path, split_of())


def test_broken_files_are_refused(path, tmp_path):
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:300], whole[:-40], bytes(len(whole))):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a whole file of save_episodes"):
            frozen_episodes(path, split_of())
    for about in ("[1]", "{}", '{"way": "x"}'):
        path.write_bytes(whole)
        rewritten(path, about=np.array(about))
        with pytest.raises(ValueError, match="is not a whole file of save_episodes"):
            frozen_episodes(path, split_of())
    with pytest.raises(ValueError, match="There is no file"):
        frozen_episodes(tmp_path / "none.npz", split_of())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"way": 6}, "way=6 needs 6 classes"),
        ({"way": (2, 3)}, "way must be an integer"),
        ({"query": None}, "query=None needs classes of one size"),
        ({"count": 0}, "count must be at least 1"),
    ],
)
def test_what_cannot_be_frozen_is_refused(tmp_path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        save_episodes(tmp_path / "f.npz", split_of(), **{**OPTIONS, **options})
    with pytest.raises(ValueError, match="Their seed says which they are"):
        save_episodes(tmp_path / "f.npz", load("lines").test, **OPTIONS)
    assert not list(tmp_path.iterdir())


def test_sizes_may_be_numpys(tmp_path):
    options = {**OPTIONS, "way": np.int64(2), "count": np.int32(3)}
    path = save_episodes(tmp_path / "f.npz", split_of(), **options)
    with np.load(path) as file:
        assert json.loads(str(file["about"]))["way"] == 2
