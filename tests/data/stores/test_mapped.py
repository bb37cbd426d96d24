"""Arrays that are mapped from files."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.stores.mapped import MappedStore, mappable, mapped_arrays

RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.integers(0, 256, (7, 5, 3), np.uint8),
    "y": np.arange(7),
    "class_names": np.array(["a", "bé"]),
    "none": np.zeros((0, 4), np.float32),
}


def test_an_archive_is_mapped_to_the_bit(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    found = mapped_arrays(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert isinstance(found["x"], np.memmap) and not found["x"].flags.writeable


def test_a_folder_of_arrays_is_mapped(tmp_path):
    for name, array in ARRAYS.items():
        np.save(tmp_path / f"{name}.npy", array)
    found = mapped_arrays(tmp_path)
    np.testing.assert_array_equal(found["x"], ARRAYS["x"])
    assert found.keys() == ARRAYS.keys() and mappable(tmp_path)[1]


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_examples_are_looked_up_in_the_graph(tmp_path, shape):
    np.save(tmp_path / "x.npy", ARRAYS["x"])
    store = MappedStore({"a": mapped_arrays(tmp_path)["x"], "b": ARRAYS["y"]})
    assert (len(store), store.place) == (7, "disk")
    assert (store.shape, store.nbytes) == ({"a": (5, 3), "b": ()}, 7 * (15 + 8))
    ids = RNG.integers(0, 7, shape)
    found = tf.function(store.take)(tf.constant(ids))
    np.testing.assert_array_equal(found["a"], ARRAYS["x"][ids])
    np.testing.assert_array_equal(found["b"], ids)
    np.testing.assert_array_equal(store.read(ids)["a"], ARRAYS["x"][ids])


def test_a_compressed_file_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **ARRAYS)
    nbytes, possible = mappable(path)
    assert nbytes >= sum(a.nbytes for a in ARRAYS.values()) and not possible
    with pytest.raises(ValueError, match=r"not be compressed.*'x.npy'.*np.savez"):
        mapped_arrays(path)


WRONG = {
    "Fortran": np.asfortranarray(ARRAYS["x"]),
    "Python objects": np.array([{}, []], dtype=object),
    "byte order": ARRAYS["y"].astype(">i4"),
}


@pytest.mark.parametrize("reason", WRONG)
def test_arrays_of_another_form_are_refused(tmp_path, reason):
    np.save(tmp_path / "x.npy", WRONG[reason], allow_pickle=True)
    with pytest.raises(ValueError, match=f"must hold numbers.*'x.npy'.*{reason}"):
        mapped_arrays(tmp_path)


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, ARRAYS["x"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"'x.npy' is cut short"):
        mapped_arrays(tmp_path)


def test_the_extra_bytes_of_a_part_are_skipped(tmp_path):
    """A large array has other extra bytes at its start than in the table."""
    path = tmp_path / "a.npz"
    import zipfile

    with zipfile.ZipFile(path, "w") as whole:
        with whole.open("x.npy", "w", force_zip64=True) as part:
            np.lib.format.write_array(part, ARRAYS["x"])
    np.testing.assert_array_equal(mapped_arrays(path)["x"], ARRAYS["x"])
