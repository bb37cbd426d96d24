"""Sources by name."""

from __future__ import annotations

import pathlib
from typing import Any

from tfmeta.data.glyphs.glyphs import glyph_pool
from tfmeta.data.source import Source
from tfmeta.data.sources.class_lists import ClassSplit
from tfmeta.data.sources.families import FAMILIES
from tfmeta.data.sources.folder import folder_pools
from tfmeta.data.sources.npz import naming, npz_pools
from tfmeta.data.sources.pool import Pool, divide
from tfmeta.data.sources.resizing import resized
from tfmeta.data.sources.rotations import turned
from tfmeta.data.sources.tfds_source import tfds_pool
from tfmeta.data.stores.choice import AUTO, DISK, check_store

# What stands before a colon in the name of a source.
PREFIXES = ("tfds", "folder", "npz")


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
    disjoint: str | None = None,
    store: str = AUTO,
    per_class: int | None = None,
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
        disjoint: What no two parts share: None for classes, or tasks if the targets
            are values; or "examples", so that every part has all classes and `split` is
            fractions of the examples of each. With a fraction of 0 for test, a data set
            that has a test part of its own keeps it.
        store: "memory"; or "disk" for pictures of a folder that are read as they are
            drawn, and for an .npz file that is mapped into memory. "auto" draws what is
            larger than 2 GB from the disk, if that is possible.
        per_class: How many examples of each class or task the train part keeps, drawn
            by `seed`; None for all.

    Returns:
        The source; its parts say where their examples lie.

    Raises:
        ValueError: Where there is no such source, or it is not as it must be.

    Example:
        >>> load("sinusoid").train.example_shape
        (1,)
    """
    check_store(store)
    _refuse_others(name, download=download, skip_broken=skip_broken)
    images: dict[str, Any] = {"image_size": image_size, "channels": channels}
    if name in FAMILIES:
        _refuse(name, any((split, rotations, disjoint, per_class, *images.values())))
        _refuse_disk(name, store)
        return FAMILIES[name]()
    kind, _, rest = name.partition(":")
    if kind == "folder" and rest:
        folder = _found(rest, data_dir)
        pools = folder_pools(
            folder, skip_broken=skip_broken, store=store, disjoint=disjoint, **images
        )
    elif kind == "npz" and rest:
        path = _found(rest, data_dir)
        with naming(path):
            pools = npz_pools(path, store=store)
        pools = resized(pools, size=image_size, channels=channels)
    else:
        _refuse_disk(name, store)
        pools = _in_memory(name, data_dir, download, seed, images)
    source = divide(pools, split, seed=seed, disjoint=disjoint, per_class=per_class)
    return turned(source) if rotations else source


def _in_memory(
    name: str,
    data_dir: str | pathlib.Path | None,
    download: bool,
    seed: int,
    images: dict[str, Any],
) -> Pool | dict[str, Pool]:
    """The examples of a source that has no files to draw from."""
    kind, _, rest = name.partition(":")
    if kind == "tfds" and rest:
        return tfds_pool(rest, data_dir=data_dir, download=download, **images)
    if name != "glyphs":
        raise ValueError(
            f"There is no source {name!r}. Use glyphs, tfds:NAME, folder:PATH or "
            f"npz:PATH; for regression {', '.join(FAMILIES)}."
        )
    return resized(
        glyph_pool(seed), size=images["image_size"], channels=images["channels"]
    )


def _refuse(name: str, options: object) -> None:
    """Refuses what can be asked of classes of images only."""
    if options:
        raise ValueError(
            f"{name!r} is a family of functions: it has no classes and no images. "
            "Leave out split, rotations, disjoint, per_class, image_size and channels."
        )


def _refuse_others(name: str, *, download: bool, skip_broken: bool) -> None:
    """Refuses what only one kind of source can do."""
    kind = name.partition(":")[0]
    for option, said, owner in (
        ("download", download, "tfds"),
        ("skip_broken", skip_broken, "folder"),
    ):
        if said and kind != owner:
            raise ValueError(
                f"{option}=True is for {owner}: sources. Received: {name!r}. Leave out "
                f"{option}."
            )


def _refuse_disk(name: str, store: str) -> None:
    """Refuses drawing from the disk what is not there as files of their own."""
    if store == DISK:
        raise ValueError(
            f'store="disk" is for folder:PATH and npz:PATH, whose examples are drawn '
            f"from their files. Received: {name!r}. Leave out store."
        )


def _found(path: str, data_dir: str | pathlib.Path | None) -> pathlib.Path:
    """Returns the path, under `data_dir` where only that exists."""
    here = pathlib.Path(path).expanduser()
    there = pathlib.Path(data_dir or ".").expanduser() / here
    return there if there.exists() and not here.exists() else here
