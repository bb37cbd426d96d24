from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import episodes, from_npz, load
from tfmeta.data.stores.memory import MemoryStore, aligned
from tfmeta.npz_files import read_npz

X = np.arange(40 * 9, dtype=np.uint8).reshape(40, 3, 3, 1)
Y = np.arange(40) % 10
PARTS = ("train", "val", "test")


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return f"npz:{tmp_path / 'data.npz'}"


def test_one_set_is_split_by_fractions(tmp_path):
    source = load(saved(tmp_path, x=X, y=Y))
    assert [getattr(source, p).num_classes for p in PARTS] == [6, 2, 2]
    np.testing.assert_array_equal(
        source.val.x[:4], X[Y == int(source.val.class_names[0])]
    )


def test_names_and_lists(tmp_path):
    name = saved(tmp_path, x=X, y=Y, class_names=np.array(list("abcdefghij")))
    source = load(name, split={"train": ["j"], "test": ["a"]}, rotations=True)
    assert source.train.class_names[:2] == ("j", "j/rot90")


def test_three_splits(tmp_path):
    arrays = {}
    for i, part in enumerate(PARTS):
        arrays |= {f"{part}_x": X, f"{part}_y": Y + 10 * i}
    source = load(saved(tmp_path, **arrays))
    assert source.test.class_names == tuple(map(str, range(20, 30)))


def test_data_dir_is_looked_in(tmp_path):
    saved(tmp_path, x=X, y=Y)
    assert load("npz:data.npz", data_dir=tmp_path).train.num_classes == 6


def test_missing_keys_are_named(tmp_path):
    name = saved(tmp_path, train_x=X, train_y=Y)
    with pytest.raises(
        ValueError,
        match=r"data\.npz' must hold the arrays x and y.* Received: train_x, train_y\.",
    ):
        load(name)
    with pytest.raises(ValueError, match=r"Received: x\."):
        load(saved(tmp_path, x=X))


def test_arrays_that_do_not_fit_name_the_file(tmp_path):
    with pytest.raises(ValueError, match=r"data\.npz': x and y must have the same len"):
        load(saved(tmp_path, x=X, y=Y[:-1]))
    with pytest.raises(ValueError, match=r"data\.npz': 3 class names need labels"):
        load(saved(tmp_path, x=X, y=Y, class_names=np.array(["a", "b", "c"])))


def test_objects_are_not_read(tmp_path):
    name = saved(tmp_path, x=X, y=np.array([{}] * 40))
    with pytest.raises(ValueError, match=r"data\.npz' is not a readable \.npz file"):
        load(name)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 torn"])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.npz' is not a readable \.npz file"):
        load(f"npz:{tmp_path / 'data.npz'}")


def test_a_torn_file_is_refused(tmp_path):
    name = saved(tmp_path, x=X, y=Y)
    path = tmp_path / "data.npz"
    whole = bytearray(path.read_bytes())
    whole[150:250] = bytes(100)  # inside x: the archive opens, the array does not
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"data\.npz' is not a readable"):
        load(name)


def test_a_bare_array_or_no_file_is_refused(tmp_path):
    np.save(tmp_path / "data.npy", X)
    with pytest.raises(ValueError, match="holds one bare array"):
        load(f"npz:{tmp_path / 'data.npy'}")
    with pytest.raises(ValueError, match=r"There is no file .*other\.npz"):
        load(f"npz:{tmp_path / 'other.npz'}")


def test_the_examples_of_an_archive_may_stay_on_disk(tmp_path):
    """The same parts and the same episodes, whichever way the file is read."""
    path = tmp_path / "data.npz"
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.normal(size=(60, 3)), y=np.arange(60) % 12)
    memory, disk = (from_npz(path, store=store) for store in ("memory", "disk"))
    assert (memory.train.store.place, disk.train.store.place) == ("memory", "disk")
    options = {"way": 3, "shot": 1, "query": 2, "tasks": 2, "count": 6, "seed": 3}
    for one, other in zip(
        episodes(memory.train, **options), episodes(disk.train, **options), strict=True
    ):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_three_parts_may_stay_on_disk(tmp_path):
    arrays = {f"{part}_{k}": v for part in PARTS for k, v in (("x", X), ("y", Y))}
    for i, part in enumerate(PARTS):
        arrays[f"{part}_y"] = Y + 100 * i
        for name in ("x", "y"):
            np.save(tmp_path / f"{part}_{name}.npy", arrays[f"{part}_{name}"])
    source = from_npz(tmp_path, store="disk")
    assert source.val.store.place == "disk"
    np.testing.assert_array_equal(np.sort(source.val.x.ravel()), np.sort(X.ravel()))


def test_a_compressed_archive_is_not_mapped(tmp_path):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=X, y=Y)
    with pytest.raises(ValueError, match=r"data.npz.*must not be compressed.*np.savez"):
        from_npz(path, store="disk")
    assert from_npz(path).train.store.place == "memory"


def test_what_cannot_be_mapped_is_told_in_one_sentence(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.asfortranarray(X.reshape(len(X), -1)), y=Y)
    with pytest.raises(ValueError, match="data.npz.*Fortran.*ascontig") as refused:
        from_npz(path, store="disk")
    assert "Restore" not in str(refused.value)
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "x.npy", X)
    np.save(tmp_path / "arrays" / "y.npy", Y.astype(object), allow_pickle=True)
    with pytest.raises(ValueError, match="'y.npy', Python objects. Write an array of"):
        from_npz(tmp_path / "arrays")
    (tmp_path / "arrays" / "y.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match="not a readable .npz file.*Restore"):
        from_npz(tmp_path / "arrays")


def test_what_is_read_into_memory_is_not_copied_again(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(60).reshape(20, 3), y=np.arange(20) % 5)
    arrays = read_npz(tmp_path / "a.npz", new=aligned)
    assert np.shares_memory(MemoryStore(arrays["x"]).x, arrays["x"])
    np.testing.assert_array_equal(arrays["x"], np.arange(60).reshape(20, 3))
