"""Sources by name."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from tfmeta.data.glyphs.glyphs import glyphs
from tfmeta.data.pictures.fit import fit_source
from tfmeta.data.source import Source
from tfmeta.data.sources.arrays import from_arrays
from tfmeta.data.sources.class_lists import PARTS, ClassSplit
from tfmeta.data.sources.families import FAMILIES
from tfmeta.data.sources.folder import from_folder
from tfmeta.data.sources.npz import from_npz
from tfmeta.data.sources.rotations import with_rotations
from tfmeta.data.sources.tfds_source import from_tfds


def load(
    name: str,
    *,
    data_dir: str | pathlib.Path | None = None,
    download: bool = False,
    split: ClassSplit | None = None,
    rotations: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
    seed: int = 0,
    skip_broken: bool = False,
) -> Source:
    """Loads a source by its name.

    Args:
        name: "glyphs" (characters drawn by a program, nothing to download),
            "tfds:NAME" (see `from_tfds`), "folder:PATH" (your own pictures, see
            `from_folder`) or "npz:PATH" (see `from_npz`); for regression "sinusoid",
            "harmonic" or "lines".
        data_dir: Where TFDS keeps its data; None for its default. A relative path
            after "npz:" or "folder:" is looked for here too.
        download: Whether TFDS may download what is missing.
        split: Which classes are for train, val and test: three fractions, lists of
            names, the name of a shipped list or the path of a JSON file, see
            `class_lists`. None for the source's own splits.
        rotations: Whether images turned by 90, 180 and 270 degrees are classes too.
        image_size: Height and width of images; None for the source's own.
        channels: 1 or 3; None for the source's own.
        seed: Which classes fractions take, and which glyphs are drawn. Training and
            evaluation must use the same one, or test classes would have been trained.
        skip_broken: Whether pictures of a folder that cannot be read are left out.

    Returns:
        The three class-disjoint splits; of functions, three streams of them.

    Raises:
        ValueError: Where there is no such source, or it is not as it must be.

    Example:
        >>> load("sinusoid").train.example_shape
        (1,)
    """
    kind, colon, rest = name.partition(":")
    images: dict[str, Any] = {"image_size": image_size, "channels": channels}
    classes: dict[str, Any] = {"split": split, "rotations": rotations, "seed": seed}
    if name in FAMILIES:
        _refuse(name, split or rotations or any(images.values()))
        return FAMILIES[name]()
    if kind == "tfds" and rest:
        where: dict[str, Any] = {"data_dir": data_dir, "download": download}
        return from_tfds(rest, **where, **classes, **images)
    if kind == "folder" and rest:
        folder = _found(rest, data_dir)
        return from_folder(folder, skip_broken=skip_broken, **classes, **images)
    if kind == "npz" and rest:
        source = from_npz(_found(rest, data_dir), split=split, seed=seed)
    elif kind == "glyphs" and not colon:
        source = glyphs(seed=seed)
        source = source if split is None else _split_anew(source, split, seed)
    else:
        raise ValueError(
            f"There is no source {name!r}. Use glyphs, tfds:NAME, folder:PATH or "
            f"npz:PATH; for regression {', '.join(FAMILIES)}."
        )
    source = fit_source(source, size=image_size, channels=channels)
    return _turned(source) if rotations else source


def _refuse(name: str, options: object) -> None:
    """Refuses what can be asked of classes of images only."""
    if options:
        raise ValueError(
            f"{name!r} is a family of functions: it has no classes and no images. "
            "Leave out split, rotations, image_size and channels."
        )


def _found(path: str, data_dir: str | pathlib.Path | None) -> pathlib.Path:
    """Returns the path, under `data_dir` where only that exists."""
    here = pathlib.Path(path).expanduser()
    there = pathlib.Path(data_dir or ".").expanduser() / here
    return there if there.exists() and not here.exists() else here


def _turned(source: Source) -> Source:
    """Adds the classes of turned images to each part of a source."""
    parts = (with_rotations(getattr(source, part)) for part in PARTS)
    return Source(source.name, *parts)


def _split_anew(source: Source, split: ClassSplit, seed: int) -> Source:
    """Shares out the classes of a source's three splits together."""
    splits = [getattr(source, part) for part in PARTS]
    before = np.cumsum([0] + [s.num_classes for s in splits])
    return from_arrays(
        np.concatenate([s.x for s in splits]),
        np.concatenate([s.y + n for s, n in zip(splits, before[:-1], strict=True)]),
        class_names=[name for s in splits for name in s.class_names],
        split=split,
        seed=seed,
        name=source.name,
    )
