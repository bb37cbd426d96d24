"""Pictures drawn from their files: equal to those in memory, broken ones named."""

from __future__ import annotations

import builtins
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.stores.memory import MemoryStore, as_tensor
from tfmeta.data.stores.picture_files import PictureFiles, broken, read_all

FORM = PictureFormat(6, 6, 3)
DRAWS = np.random.default_rng(0)
LOSSLESS = ["a.png", "b.bmp", "c.tif", "d.ppm", "e.webp", "f.tiff", "one_bit.bmp"]
OTHERS = ["g.jpg", "h.gif", "webp_called.jpg"]


@pytest.fixture
def pictures(tmp_path):
    """A picture of each kind by the path of its file."""
    found = {}
    for name in LOSSLESS + OTHERS:
        pixels = DRAWS.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        image = Image.fromarray(pixels)
        image = image.convert("1") if "one_bit" in name else image
        options = {"format": "WEBP", "lossless": True} if "webp" in name else {}
        image.save(tmp_path / name, **options)
        found[tmp_path / name] = np.asarray(image.convert("RGB"))
    return found


def test_what_is_drawn_is_what_is_read_into_memory(pictures):
    store = PictureFiles(list(pictures), FORM)
    assert (len(store), store.shape, store.dtype) == (10, (6, 6, 3), np.uint8)
    pixels, wrong = read_all(store)
    assert not wrong
    for path, picture in zip(pictures, pixels, strict=True):
        if path.name in LOSSLESS:
            np.testing.assert_array_equal(picture, pictures[path], path.name)
    ids = np.array([[0, 9, 3], [7, 7, 8]])
    expected = MemoryStore(pixels).take(tf.constant(ids)).numpy()
    np.testing.assert_array_equal(expected, pixels[ids])
    stream = tf.data.Dataset.from_tensors(ids).map(store.take)
    assert stream.element_spec.shape == (2, 3, 6, 6, 3)
    np.testing.assert_array_equal(next(iter(stream)), expected)
    np.testing.assert_array_equal(store.take(tf.constant(9)), pixels[9])
    assert store.take(tf.zeros((2, 0), tf.int64)).shape == (2, 0, 6, 6, 3)


def test_many_are_read_in_order(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(600)]
    for i, path in enumerate(paths):
        level = np.full((1, 1, 3), i % 251, np.uint8)
        tf.io.write_file(str(path), tf.io.encode_png(level))
    paths[300].write_bytes(b"")
    pixels, wrong = read_all(PictureFiles(paths, PictureFormat(1, 1, 1)))
    assert list(wrong) == [300]
    whole = np.delete(pixels[:, 0, 0, 0], 300)
    np.testing.assert_array_equal(whole, np.delete(np.arange(600) % 251, 300))
    assert as_tensor(pixels).numpy()[5, 0, 0, 0] == 5


def test_a_graph_holds_no_picture_and_no_path(pictures):
    # TensorFlow makes constants of up to 128 elements.
    store = PictureFiles(20 * list(pictures), FORM)
    traced = tf.function(store.take).get_concrete_function(tf.constant([0]))
    assert b"one_bit" not in traced.graph.as_graph_def().SerializeToString()


def test_broken_pictures_are_named_with_the_reason(pictures, tmp_path):
    for name in ("a.png", "c.tif", "g.jpg", "b.bmp", "e.webp", "h.gif"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-40])
    (tmp_path / "d.ppm").write_bytes(b"no picture")
    Image.new("F", (4, 4)).save(tmp_path / "f.tiff")
    store = PictureFiles(list(pictures), FORM)
    names = [path.name for path in pictures]
    found = {names[number]: why for number, why in broken(store).items()}
    assert set(found) == set(names) - {"one_bit.bmp", "webp_called.jpg"}
    assert found["d.ppm"] == "it is no picture of a known kind"
    assert found["f.tiff"].startswith("its pixels are floating-point numbers")
    assert "Invalid PNG data" in found["a.png"]
    for why in found.values():
        assert "\n" not in why and "File" not in why and "node" not in why
    with pytest.raises(tf.errors.OpError):
        tf.function(store.take)(tf.constant([1, 6]))
    assert store.problem().startswith(
        f"The picture {str(tmp_path / 'a.png')!r} cannot be read: Invalid PNG"
    )


def test_a_file_that_changed_or_vanished_is_named(pictures, tmp_path):
    paths = list(pictures)
    store = PictureFiles(paths, FORM, [os.stat(path).st_size for path in paths])
    take = tf.function(store.take)
    assert store.problem() is None
    with paths[0].open("ab") as file:
        file.write(b"more")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"another len.*a\.png"):
        take(tf.constant([1, 0]))
    size = store.lengths[0]
    assert store.problem() == (
        f"The picture {str(paths[0])!r} must stay as it was when it was listed, with "
        f"{size} bytes. Received: {size + 4} bytes. Restore it, or start anew."
    )
    paths[0].unlink()
    with pytest.raises(tf.errors.NotFoundError):
        take(tf.constant([1, 0]))
    assert (
        "a.png' must be a file that can be read. Received: No such" in store.problem()
    )
    with pytest.raises(ValueError, match=r"a\.png' must be a file"):
        PictureFiles(paths, FORM)


def test_without_pillow_the_extra_is_named(pictures, monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "PIL":
            raise ImportError("No module named 'PIL'")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    own = [path for path in pictures if path.name in ("a.png", "g.jpg", "h.gif")]
    assert PictureFiles(own, FORM).take(tf.constant([0, 1, 2])).shape[0] == 3
    with pytest.raises(ImportError, match=r"tfmeta\[data\]"):
        PictureFiles(list(pictures), FORM)
    misnamed = [path for path in pictures if path.name == "webp_called.jpg"]
    (why,) = broken(PictureFiles(misnamed, FORM)).values()
    assert "tfmeta[data]" in why
