"""Who drew each of Omniglot's characters."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tfmeta.data.sources.tfds_source import prepared_builder
from tfmeta.data.split import Split

DRAWERS = 20  # People who drew each character, one drawing each.


def omniglot_drawers(
    part: Split, *, data_dir: str | os.PathLike[str] | None = None
) -> np.ndarray:
    """Finds out who drew each example of Omniglot's own test part.

    TFDS' records do not say it, but their order does: a part's drawings lie in the
    order of a hash of ALPHABET_CHARACTER_NUMBER_DRAWER.png, the name of their file. So
    the names are made, hashed and sorted, and compared with the records' labels.

    Args:
        part: The test part of "tfds:omniglot", loaded without `split` and with or
            without rotations.
        data_dir: Where TFDS keeps its data; None for its default.

    Returns:
        `(examples,)` int32: the number of the drawer, 1 to 20, within the alphabet. The
        drawings of one alphabet with one number are one person's. 0 for turned
        pictures, which nobody drew.

    Raises:
        ValueError: If the part is another one, or TFDS' records lie in another order.
    """
    builder = prepared_builder("omniglot", data_dir, download=False)
    drawn_by = drawers_by_label(builder, "test")
    classes = {_class_name(label): drawers for label, drawers in drawn_by.items()}
    upright = [name for name in part.class_names if "/rot" not in name]
    if set(upright) != set(classes):
        raise ValueError(
            f"Lake's test needs the {len(classes)} characters of Omniglot's own test "
            f"part. Received: part {part.name!r} with {len(upright)} characters. Load "
            "tfds:omniglot without a split, so that training is on TFDS' train alone."
        )
    drawers = np.zeros(len(part.y), np.int32)
    for place, name in enumerate(part.class_names):
        if name in classes:
            drawers[part.y == place] = classes[name]
    return drawers


def drawers_by_label(builder: Any, split: str) -> dict[str, list[int]]:
    """The drawers of each label's records, in the records' order.

    Args:
        builder: The TFDS builder of Omniglot.
        split: The name of one of its splits.

    Returns:
        For the name of each label the numbers of the drawers, 1 to 20.

    Raises:
        ValueError: If the records do not lie in the order in which TFDS writes them.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.hashing import Hasher

    dataset = builder.as_dataset(
        split=split, decoders={"image": tfds.decode.SkipDecoding()}, shuffle_files=False
    )
    stored = [int(row["label"]) for row in dataset.as_numpy_iterator()]
    names = builder.info.features["label"].names
    hasher = Hasher(split)
    keys = sorted(
        (
            hasher.hash_key(f"{names[label]}_{label + 1:04d}_{drawer:02d}.png"),
            label,
            drawer,
        )
        for label in set(stored)
        for drawer in range(1, DRAWERS + 1)
    )
    if [label for _, label, _ in keys] != stored:
        raise ValueError(
            f"The records of Omniglot's {split} in {builder.data_dir} do not lie in "
            "the order in which TFDS writes them, so nothing tells who drew what. "
            "Prepare the data again with TFDS, in one file a part."
        )
    drawn_by: dict[str, list[int]] = {}
    for _, label, drawer in keys:
        drawn_by.setdefault(names[label], []).append(drawer)
    return drawn_by


def _class_name(label: str) -> str:
    """The name that tfmeta gives a label of TFDS: "Korean_0" is Korean/character01."""
    alphabet, _, number = label.rpartition("_")
    return f"{alphabet}/character{int(number) + 1:02d}"
