from __future__ import annotations

import functools
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import load
from tfmeta.data.sources.class_lists import class_parts

PARTS = ("train", "val", "test")


@pytest.fixture(scope="module")
def tfds_dir(real_data):
    pytest.importorskip("tensorflow_datasets", reason="needs the extra 'data'")
    return real_data / "tfds"


@pytest.fixture(scope="module")
def omniglot(tfds_dir):
    return load("tfds:omniglot", data_dir=tfds_dir)


def test_omniglot_keeps_its_own_test_classes(omniglot, tfds_dir):
    assert omniglot.train.num_classes + omniglot.val.num_classes == 964
    assert omniglot.test.num_classes == 659
    alphabets = [
        {name.split("/")[0] for name in getattr(omniglot, part).class_names}
        for part in PARTS
    ]
    assert [len(names) for names in alphabets] == [24, 6, 20]
    assert len(set.union(*alphabets)) == 50
    for part in PARTS:
        np.testing.assert_array_equal(getattr(omniglot, part).counts, 20)


def test_omniglot_is_bright_ink_on_a_dark_ground(omniglot):
    x = omniglot.train.x
    assert (x.dtype, x.shape[1:]) == (np.uint8, (28, 28, 1))
    assert 10 < x.mean() < 40
    assert np.median(x) == 0
    assert x.reshape(len(x), -1).max(axis=1).mean() > 200


def test_omniglot_characters_are_those_of_tfds(omniglot, tfds_dir):
    """Decodes one class the slow way."""
    import tensorflow_datasets as tfds

    data = tfds.load("omniglot", split="train[:2000]", data_dir=tfds_dir)
    builder = tfds.builder("omniglot", data_dir=tfds_dir)
    example = next(iter(data.as_numpy_iterator()))
    alphabet = builder.info.features["alphabet"].int2str(int(example["alphabet"]))
    name = f"{alphabet}/character{int(example['alphabet_char_id']) + 1:02d}"
    split = omniglot.train if name in omniglot.train.class_names else omniglot.val
    ours = split.x[split.y == split.class_names.index(name)][..., 0] / 255
    ink = 1 - example["image"][:, :, 0] / 255
    bounds = np.linspace(0, 105, 29)  # the area under each of 28 pixels
    weights = np.zeros((28, 105))
    for pixel in range(28):
        left, right = bounds[pixel], bounds[pixel + 1]
        overlap = np.minimum(np.arange(105) + 1, right) - np.maximum(
            np.arange(105), left
        )
        weights[pixel] = np.maximum(overlap, 0) / 3.75
    small = weights @ ink @ weights.T
    distances = np.abs(ours - small).max(axis=(1, 2))
    assert distances.min() < 0.01  # 1/255 for rounding, float32 for the rest
    assert np.sort(distances)[1] > 0.2  # and no other drawing is like it


def all_names(source):
    return [name for part in PARTS for name in getattr(source, part).class_names]


def test_the_vinyals_lists_fit_omniglot(omniglot):
    parts = class_parts("vinyals", all_names(omniglot))
    assert [len(parts[part]) for part in PARTS] == [1028, 172, 423]


def test_cifar100(tfds_dir):
    source = load("tfds:cifar100", data_dir=tfds_dir)
    assert [getattr(source, p).num_classes for p in PARTS] == [64, 16, 20]
    assert source.train.example_shape == (32, 32, 3)
    for part in PARTS:
        np.testing.assert_array_equal(getattr(source, part).counts, 600)
    for name, sizes in (("cifar_fs", [64, 16, 20]), ("fc100", [60, 20, 20])):
        parts = class_parts(name, all_names(source))
        assert [len(parts[part]) for part in PARTS] == sizes


def store(folder, splits, shape=(6, 6, 3), image="image"):
    """Writes a data set of uniform images whose brightness is 10 times the label."""
    tfds = pytest.importorskip("tensorflow_datasets", reason="needs the extra 'data'")
    features = tfds.features.FeaturesDict(
        {
            image: tfds.features.Image(shape=shape, encoding_format="png"),
            "label": tfds.features.ClassLabel(names=[f"c{i}" for i in range(12)]),
        }
    )

    def examples(labels):
        for i, label in enumerate(labels):
            size = shape[0] or 6 + i % 3
            pixels = np.full((size, size, shape[2]), 10 * max(label, 0), np.uint8)
            yield {image: pixels, "label": label}

    data = {}
    for split, labels in splits.items():
        signature = {
            image: tf.TensorSpec(shape, tf.uint8),
            "label": tf.TensorSpec((), tf.int64),
        }
        data[split] = tf.data.Dataset.from_generator(
            functools.partial(examples, labels), output_signature=signature
        )
    tfds.dataset_builders.store_as_tfds_dataset(
        "toy", version="1.0.0", features=features, split_datasets=data, data_dir=folder
    )


def check(source):
    for part in PARTS:
        split = getattr(source, part)
        labels = np.array([int(name[1:]) for name in split.class_names])
        expected = 10 * labels[split.y][:, None, None, None]
        np.testing.assert_array_equal(split.x, np.broadcast_to(expected, split.x.shape))


def test_splits_that_share_classes_are_read_together(tmp_path):
    labels = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] * 2
    store(tmp_path, {"train": labels, "test": [*labels[:10], -1], "extra": labels})
    source = load("tfds:toy", data_dir=tmp_path, image_size=4, channels=1)
    check(source)
    assert [getattr(source, p).num_classes for p in PARTS] == [6, 2, 2]
    assert source.train.example_shape == (4, 4, 1)
    assert all(np.all(getattr(source, p).counts == 3) for p in PARTS)
    assert load("tfds:toy", data_dir=tmp_path, split="1,0,0").val.num_classes == 0


def test_splits_of_different_classes_stay(tmp_path):
    store(tmp_path, {"train": range(5), "validation": [5, 6, 6], "test": range(7, 12)})
    source = load("tfds:toy", data_dir=tmp_path)
    check(source)
    assert source.val.class_names == ("c5", "c6")
    assert source.test.class_names == ("c7", "c8", "c9", "c10", "c11")


def test_images_of_different_sizes_need_one(tmp_path):
    store(tmp_path, {"train": range(12)}, shape=(None, None, 1))
    with pytest.raises(ValueError, match="differ in size. Give image_size"):
        load("tfds:toy", data_dir=tmp_path)
    check(load("tfds:toy", data_dir=tmp_path, image_size=5))


def test_data_that_is_not_labelled_images_is_refused(tmp_path):
    store(tmp_path, {"train": range(3)}, image="picture")
    with pytest.raises(ValueError, match="Received: label, picture"):
        load("tfds:toy", data_dir=tmp_path)


def test_other_splits_are_not_used(tmp_path):
    store(tmp_path, {"small": range(3)})
    with pytest.raises(ValueError, match="none of the splits train, .*small"):
        load("tfds:toy", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "mnist",
            r"tfds:mnist is not in .*Give .* with data_dir, .* with download=True",
        ),
        ("no_such_data", "no data set 'no_such_data'"),
        ("mnist:9.9.9", "not that version"),
        ("../up", "no data set '../up'"),
    ],
)
def test_missing_data_is_not_fetched(name, message, tmp_path):
    pytest.importorskip("tensorflow_datasets", reason="needs the extra 'data'")
    with pytest.raises(ValueError, match=message):
        load(f"tfds:{name}", data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_tfds_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r'extra \'data\': pip install "tfmeta\[data'):
        load("tfds:mnist")


def test_only_download_downloads(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets", reason="needs the extra 'data'")

    def fetched(self):
        raise InterruptedError

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fetched)
    with pytest.raises(InterruptedError):
        load("tfds:mnist", data_dir=tmp_path, download=True)
    with pytest.raises(ValueError, match="download=True"):
        load("tfds:mnist", data_dir=tmp_path)
