"""Episodes in a file are those of the stream, and of no other data."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import Split, episodes, frozen_episodes, load, save_episodes

SIZES = [9, 7, 8, 9, 12]
OPTIONS = {"way": 3, "shot": 2, "query": 4, "seed": 5, "count": 7}


def split_of(**changes):
    y = np.repeat(np.arange(len(SIZES)), SIZES)
    x = np.random.default_rng(0).integers(0, 256, (len(y), 3, 2, 1)).astype(np.uint8)
    split = Split("test", x, y, ("a", "b", "c", "d", "e"))
    return dataclasses.replace(split, **changes)


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
        assert file["query"].shape == (7, 12) and file["query"].dtype == np.int32
    assert about.pop("checksum")
    assert about == {"split": "test", **OPTIONS}
    assert [p.name for p in path.parent.iterdir()] == ["episodes.npz"]


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
    with pytest.raises(ValueError, match=f"is broken: {name} must be int32 of shape"):
        frozen_episodes(path, split_of())


@pytest.mark.parametrize(
    "arrays",
    [
        {"query": np.zeros((7, 11), np.int32)},
        {"support": np.zeros((6, 6), np.int32)},
        {"support_y": np.zeros((7, 6))},
    ],
)
def test_other_shapes_are_refused(path, arrays):
    rewritten(path, **arrays)
    with pytest.raises(ValueError, match=r"is broken: \w+ must be int32 of shape"):
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
