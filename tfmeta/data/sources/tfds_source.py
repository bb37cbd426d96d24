"""Image data sets of TensorFlow Datasets as sources."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.pictures.decode import decode_pictures
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.source import Source
from tfmeta.data.sources.class_lists import ClassSplit
from tfmeta.data.sources.pool import Pool, divide
from tfmeta.data.sources.resizing import check_fit
from tfmeta.data.sources.rotations import turned
from tfmeta.data.stores.memory import MemoryStore, aligned

# Others, such as Omniglot's small1 and small2, repeat what these hold.
_AT_ONCE = 256  # Pictures that are decoded in one batch.
_TFDS_SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class _Preset:
    """How a data set is read where the defaults do not do."""

    size: int | None = None
    channels: int | None = None
    inverted: bool = False  # dark ink on a bright ground
    group: str | None = None  # the label that stands before a class name's slash
    number: str | None = None  # the number within the group that names the class


_PRESETS = {
    "omniglot": _Preset(28, 1, True, group="alphabet", number="alphabet_char_id"),
    "cifar100": _Preset(group="coarse_label"),
}


def from_tfds(
    name: str,
    *,
    data_dir: str | pathlib.Path | None = None,
    download: bool = False,
    split: ClassSplit | None = None,
    rotations: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
    seed: int = 0,
) -> Source:
    """Reads a data set of images with labels that TensorFlow Datasets prepared.

    The TFDS splits are read together and their classes shared out anew. Where they
    hold different classes already (Omniglot) and `split` is None, its test classes
    stay the test classes. Omniglot is read as bright ink on a dark ground, one
    channel, 28x28; its classes are "Korean/character01", those of CIFAR-100
    "fish/ray".

    Args:
        name: The TFDS name, such as "omniglot", "cifar100" or "mnist:3.0.1". The data
            set has the features `image` and `label`.
        data_dir: Where TFDS keeps its data; None for its default.
        download: Whether TFDS may download and prepare what is missing.
        split: See `from_arrays` and `class_lists`; "vinyals" for Omniglot, "cifar_fs"
            and "fc100" for CIFAR-100. None: the data set's own classes for test, 20
            in 100 of the others (of the alphabets for Omniglot) for val; or fractions
            0.64, 0.16, 0.2 where its splits share classes.
        rotations: Whether images turned by 90, 180 and 270 degrees are classes too.
        image_size: Height and width; None for the data's own, or 28 for Omniglot.
        channels: 1 or 3; None for the data's own, or 1 for Omniglot.
        seed: Another seed takes other classes where `split` are fractions.

    Returns:
        The three class-disjoint splits, uint8 images.

    Raises:
        ValueError: Where the data set does not exist, is not there or is of no use.
        ImportError: Where tensorflow_datasets is not installed.
    """
    pool = tfds_pool(
        name,
        data_dir=data_dir,
        download=download,
        image_size=image_size,
        channels=channels,
    )
    source = divide(pool, split, seed=seed)
    return turned(source) if rotations else source


def tfds_pool(
    name: str,
    *,
    data_dir: str | pathlib.Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
) -> Pool:
    """Reads a data set of TensorFlow Datasets; the arguments are those of `from_tfds`.

    Returns:
        All its examples, with the parts that TFDS has them in.
    """
    check_fit(size=image_size, channels=channels)
    builder = prepared_builder(name, data_dir, download=download)
    preset = _PRESETS.get(builder.name, _Preset())
    preset = dataclasses.replace(
        preset, size=image_size or preset.size, channels=channels or preset.channels
    )
    _check_features(name, builder.info.features, preset)
    found = [part for part in _TFDS_SPLITS if part in builder.info.splits]
    if not found:
        raise ValueError(
            f"tfds:{name} has none of the splits {', '.join(_TFDS_SPLITS)}. Received: "
            f"{', '.join(builder.info.splits)}. Read it with TFDS and use from_arrays."
        )
    form = _form(builder.info.features["image"], preset)
    total = sum(builder.info.splits[part].num_examples for part in found)
    x, keys, parts = aligned((total, *form.shape), np.uint8), [], []
    end = 0
    for part in found:
        for images, labels in _read(builder, part, form, preset):
            x[end : end + len(images)] = images
            end += len(images)
            keys.append(labels)
            parts += [_TFDS_SPLITS.index(part)] * len(images)
    classes, y = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    return Pool(
        f"tfds:{name}",
        MemoryStore(x[:end]),
        y.reshape(-1),
        _names(classes, builder.info.features, preset),
        parts=np.array(parts, np.int8),
        prepare=Preparation(pictures=form),
    )


def prepared_builder(
    name: str, data_dir: str | os.PathLike[str] | None, *, download: bool
) -> Any:
    """Returns the TFDS builder of a data set that lies ready on disk."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"tfds:{name} needs TensorFlow Datasets. Install the extra 'data': "
            'pip install "tfmeta[data]".'
        ) from error
    data_dir = None if data_dir is None else str(pathlib.Path(data_dir).expanduser())
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, AssertionError, ValueError) as error:
        raise ValueError(
            f"TensorFlow Datasets has no data set {name!r}, or not that version. "
            "Names are like omniglot, cifar100 or mnist:3.0.1; data that you prepared "
            "yourself is looked for under data_dir."
        ) from error
    if not builder.is_prepared():
        if not download:
            raise ValueError(
                f"tfds:{name} is not in {str(builder.data_dir)!r}. Give the folder "
                "that holds it with data_dir, or fetch it with download=True."
            )
        builder.download_and_prepare()
    return builder


def _check_features(name: str, features: Any, preset: _Preset) -> None:
    """Raises where the data set is not one of labelled images."""
    names = sorted(features) if hasattr(features, "keys") else []
    if not {"image", "label"} <= set(names) or not hasattr(features["image"], "shape"):
        raise ValueError(
            f"tfds:{name} needs the features 'image' and 'label'. Received: "
            f"{', '.join(names) or features}. Read it with TFDS and use from_arrays."
        )
    if None in features["image"].shape[:2] and preset.size is None:
        raise ValueError(
            f"The images of tfds:{name} differ in size. Give image_size to bring "
            "them to one."
        )


def _form(image: Any, preset: _Preset) -> PictureFormat:
    """What the images of a data set become."""
    height, width, depth = image.shape
    if preset.size is not None:
        height = width = preset.size
    return PictureFormat(height, width, preset.channels or depth or 3, preset.inverted)


def _read(
    builder: Any, part: str, form: PictureFormat, preset: _Preset
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields a TFDS split's images, `(n, H, W, C)`, and keys of their classes."""
    import tensorflow_datasets as tfds

    columns = [column for column in (preset.group, preset.number) if column]
    if preset.number is None:
        columns.append("label")

    def decode(examples: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        keys = [tf.cast(examples[column], tf.int32) for column in columns]
        return decode_pictures(examples["image"], form), tf.stack(keys, axis=1)

    dataset = builder.as_dataset(
        split=part,
        decoders={"image": tfds.decode.SkipDecoding()},
        shuffle_files=False,
    )
    dataset = dataset.batch(_AT_ONCE).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    for images, keys in dataset.as_numpy_iterator():
        labelled = keys.min(axis=1) >= 0  # TFDS marks an unknown label by -1
        yield images[labelled], keys[labelled]


def _names(classes: np.ndarray, features: Any, preset: _Preset) -> list[str]:
    """Returns a name for each row of class keys."""
    columns = []
    if preset.group is not None:
        columns.append(_strings(features[preset.group], classes[:, 0]))
    if preset.number is not None:
        columns.append([f"character{i + 1:02d}" for i in classes[:, -1]])
    else:
        columns.append(_strings(features["label"], classes[:, -1]))
    return ["/".join(words) for words in zip(*columns, strict=True)]


def _strings(feature: Any, ids: np.ndarray) -> list[str]:
    """Returns the label names that TFDS has, or the numbers."""
    return [
        feature.int2str(int(i)) if hasattr(feature, "int2str") else str(i) for i in ids
    ]
