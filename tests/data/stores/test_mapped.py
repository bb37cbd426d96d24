"""Mapped arrays: equal to read ones, or refused with a sentence."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.stores.mapped import MappedStore, mapped_array, mapped_arrays

DRAWS = np.random.default_rng(0)
ARRAYS = {
    "x": DRAWS.integers(0, 256, (7, 5, 3)).astype(np.uint8),
    "train_x": DRAWS.normal(size=(4, 3)).astype(np.float32),
    "a_longer_name": DRAWS.normal(size=(6,)),
    "flags": DRAWS.integers(0, 2, (5, 2)).astype(bool),
}


def in_file(array: np.ndarray) -> bool:
    """Whether an array, or one it is a view of, is mapped."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def check_takes(store: MappedStore, x: np.ndarray) -> None:
    assert (len(store), store.shape, store.dtype) == (len(x), x.shape[1:], x.dtype)
    ids = DRAWS.integers(0, len(x), (2, 5))
    for take in (store.take, tf.function(store.take)):
        np.testing.assert_array_equal(take(tf.constant(ids)), x[ids])
    stream = tf.data.Dataset.from_tensors(ids).map(store.take)
    assert stream.element_spec.shape == (2, 5, *x.shape[1:])
    np.testing.assert_array_equal(next(iter(stream)), x[ids])


@pytest.mark.parametrize("name", ARRAYS)
def test_an_npy_is_mapped(tmp_path, name):
    path = tmp_path / "a.npy"
    np.save(path, ARRAYS[name])
    array = mapped_array(path)
    assert in_file(array)
    check_takes(MappedStore(array), ARRAYS[name])


def test_the_arrays_of_an_npz_are_mapped(tmp_path):
    path = tmp_path / "a.npz"
    words = np.array(["owl", "tit"])
    np.savez(path, **ARRAYS, class_names=words, none=np.zeros((0, 3)))
    arrays = mapped_arrays(path)
    assert list(arrays) == [*ARRAYS, "class_names", "none"]
    for name, expected in ARRAYS.items():
        assert in_file(arrays[name])
        check_takes(MappedStore(arrays[name]), expected)
    assert arrays["class_names"].tolist() == ["owl", "tit"]
    assert arrays["none"].shape == (0, 3)


def test_examples_may_be_nests(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=ARRAYS["x"], b=ARRAYS["x"][:, 0])
    store = MappedStore(mapped_arrays(path))
    assert store.shape == {"a": (5, 3), "b": (3,)}
    taken = store.take(tf.constant([4, 1]))
    np.testing.assert_array_equal(taken["a"], ARRAYS["x"][[4, 1]])
    np.testing.assert_array_equal(taken["b"], ARRAYS["x"][[4, 1], 0])


def test_changes_stay_out_of_the_file(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, ARRAYS["x"])
    mapped_array(path)[:] = 0
    np.testing.assert_array_equal(np.load(path), ARRAYS["x"])


def test_a_replaced_file_does_no_harm(tmp_path):
    path, other = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(path, ARRAYS["x"])
    np.save(other, np.zeros(1))
    store = MappedStore(mapped_array(path))
    os.replace(other, path)
    np.testing.assert_array_equal(store.take(tf.constant([6])), ARRAYS["x"][[6]])


UNFIT = {
    "Fortran's order": np.asfortranarray(np.ones((2, 3))),
    "big-endian": np.ones((2, 3), ">f4"),
    "Python objects": np.array([1, "a"], object),
    "objects or fields": np.zeros(2, [("a", "i4")]),
}


@pytest.mark.parametrize("reason", UNFIT)
def test_unfit_arrays_are_refused(tmp_path, reason):
    np.save(tmp_path / "a.npy", UNFIT[reason])
    with pytest.raises(ValueError, match=rf"a\.npy cannot be mapped: .*{reason}"):
        mapped_array(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", good=np.ones(2), x=UNFIT[reason])
    with pytest.raises(ValueError, match=rf"'x' in .*a\.npz' cannot .*{reason}"):
        mapped_arrays(tmp_path / "a.npz")


def test_a_compressed_npz_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.ones(2))
    with pytest.raises(ValueError, match="'x' in .* is compressed. .* np.savez"):
        mapped_arrays(tmp_path / "a.npz")


def test_a_missing_file_is_refused(tmp_path):
    for read in (mapped_array, mapped_arrays):
        with pytest.raises(ValueError, match=r"none' must be a file .*No such file"):
            read(tmp_path / "none")


def test_cut_or_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a"
    np.save(tmp_path / "a.npy", ARRAYS["x"])
    np.savez(tmp_path / "a.npz", x=ARRAYS["x"])
    array = pathlib.Path(tmp_path / "a.npy").read_bytes()
    archive = bytearray(pathlib.Path(tmp_path / "a.npz").read_bytes())
    for size in (0, 3, 90, len(array) - 1):
        path.write_bytes(array[:size])
        with pytest.raises(ValueError, match="must be a whole array"):
            mapped_array(path)
    for size in (0, 50, len(archive) - 1):
        path.write_bytes(archive[:size])
        with pytest.raises(ValueError, match=r"must be a whole \.npz"):
            mapped_arrays(path)
    archive[0] = 0
    path.write_bytes(archive)
    with pytest.raises(ValueError, match="'x' in .* must be a whole array"):
        mapped_arrays(path)


def test_words_are_no_examples():
    with pytest.raises(ValueError, match="must be numbers or truth values.*<U1"):
        MappedStore(np.array(["a"]))
