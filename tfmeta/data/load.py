"""Sources by name."""

from __future__ import annotations

import inspect
import pathlib
from collections.abc import Sequence
from typing import Any

from tfmeta.data.glyphs.glyphs import glyph_pool
from tfmeta.data.prepare.tokens import LENGTH, VOCABULARY, Tokens
from tfmeta.data.source import Source
from tfmeta.data.sources.class_lists import ClassSplit
from tfmeta.data.sources.families import FAMILIES
from tfmeta.data.sources.folder import folder_pools
from tfmeta.data.sources.npz import naming, npz_pools
from tfmeta.data.sources.pool import Pool, divide
from tfmeta.data.sources.resizing import resized
from tfmeta.data.sources.rotations import turned
from tfmeta.data.sources.rows import FORMS
from tfmeta.data.sources.text_files import text_pool
from tfmeta.data.sources.tfds_source import tfds_pool
from tfmeta.data.stores.choice import AUTO, DISK, check_store
from tfmeta.data.superclasses import by_superclass as grouped_by_superclass

_TEXTS = tuple(FORMS)
_OF_TOKENS = ("vocabulary", "length", "buckets", "prefixes")
_OF_ROWS = ("text_field", "label_field", "split_field", "strip")
# What stands before a colon in the name of a source.
PREFIXES = ("tfds", "folder", "npz", *_TEXTS)
# The arguments that only some kinds of sources have.
_OWNERS = {
    "download": ("tfds",),
    "skip_broken": ("folder",),
    **dict.fromkeys((*_OF_ROWS, *_OF_TOKENS), _TEXTS),
}


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
    by_superclass: bool = False,
    text_field: str = "text",
    label_field: str = "label",
    split_field: str | None = None,
    strip: Sequence[str] = (),
    vocabulary: int = VOCABULARY,
    length: int = LENGTH,
    buckets: int = 0,
    prefixes: Sequence[int] = (),
) -> Source:
    """Loads a source by its name.

    Args:
        name: "glyphs" (characters drawn by a program, nothing to download),
            "tfds:NAME" (see `from_tfds`), "folder:PATH" (your own pictures, see
            `from_folder`), "npz:PATH" (see `from_npz`), "jsonl:PATH" (texts, a JSON
            object on each line) or "csv:PATH" (texts under a line of names); for
            regression "sinusoid", "harmonic" or "lines". Files of texts may be
            compressed, as PATH.gz.
        data_dir: Where TFDS keeps its data; None for its default. A relative path
            after the colon of another source is looked for here too.
        download: Whether TFDS may download what is missing.
        split: The classes of train, val and test: three fractions that sum to 1, lists
            of names, the name of a shipped list ("vinyals", "cifar_fs", "fc100",
            "newsgroups") or the
            path of a JSON file. See `class_lists`. None for the source's own splits.
        rotations: Whether images turned by 90, 180 and 270 degrees are classes too.
        image_size: Height and width of images; None for the source's own.
        channels: 1 or 3; None for the source's own.
        seed: The seed by which fractions choose classes and glyphs are drawn. Training
            and evaluation must use the same one; else test classes may be classes that
            were trained on.
        skip_broken: Whether pictures of a folder that cannot be read are left out.
        disjoint: What no two parts share. With "examples" every part has all classes,
            and `split` is fractions of the examples of each; with a fraction of 0 for
            test, a data set that has a test part of its own keeps it. None for classes,
            or tasks if the targets are values.
        store: "memory"; or "disk" for pictures of a folder that are read as they are
            drawn, and for an .npz file that is mapped into memory. "auto" draws what is
            larger than 2 GB from the disk, if that is possible.
        per_class: How many examples of each class or task the train part keeps, drawn
            by `seed`; None for all.
        by_superclass: Whether the classes of an episode are all of one superclass,
            which is what their names have before the first "/": an alphabet of
            Omniglot, one of CIFAR-100's 20 superclasses, an upper folder. Turned
            pictures form superclasses of their own.
        text_field: The field of a file of texts that holds a text.
        label_field: The field that holds the label of a text, a text or a number.
        split_field: The field that says whether a text is for train, val or test; None
            to divide the classes by `split`.
        strip: What is taken off newsgroup posts: some of headers, footers and quotes,
            as scikit-learn's fetch_20newsgroups does it. A text of which nothing is
            left is left out.
        vocabulary: The number of different words that are told apart, see
            `tfmeta.data.Tokens`; they are the most frequent ones of meta-train.
        length: The number of words of a text that are read, from its beginning.
        buckets: How many of the `vocabulary` numbers are shared by the words that
            meta-train does not have; with 0 these all have the same number.
        prefixes: Numbers of letters: the first so many letters of each word are read as
            a word too.

    Returns:
        The source; its parts say where their examples lie.

    Raises:
        ValueError: Where there is no such source, or it is not as it must be.

    Example:
        >>> load("sinusoid").train.example_shape
        (1,)
    """
    own = {option: said for option, said in locals().items() if option in _OWNERS}
    check_store(store)
    _refuse_others(name, own)
    images: dict[str, Any] = {"image_size": image_size, "channels": channels}
    if name in FAMILIES:
        others = (split, rotations, disjoint, per_class, by_superclass)
        _refuse(name, any((*others, *images.values())))
        _refuse_disk(name, store)
        return FAMILIES[name]()
    pools = _pools(name, data_dir, store, disjoint, seed, images, own)
    source = divide(pools, split, seed=seed, disjoint=disjoint, per_class=per_class)
    source = turned(source) if rotations else source
    return grouped_by_superclass(source) if by_superclass else source


def _pools(
    name: str,
    data_dir: str | pathlib.Path | None,
    store: str,
    disjoint: str | None,
    seed: int,
    images: dict[str, Any],
    own: dict[str, Any],
) -> Pool | dict[str, Pool]:
    """The examples of a source, in the size that `images` says."""
    kind, _, rest = name.partition(":")
    path = _found(rest, data_dir) if rest else pathlib.Path()
    if kind == "folder" and rest:
        broken = own["skip_broken"]
        return folder_pools(
            path, skip_broken=broken, store=store, disjoint=disjoint, **images
        )
    if kind == "npz" and rest:
        with naming(path):
            pools = npz_pools(path, store=store)
        return _resized(pools, images)
    _refuse_disk(name, store)
    if kind == "tfds" and rest:
        download = own["download"]
        return tfds_pool(rest, data_dir=data_dir, download=download, **images)
    if kind in FORMS and rest:
        rows = {option: own[option] for option in _OF_ROWS}
        rows["prepare"] = Tokens(**{option: own[option] for option in _OF_TOKENS})
        return _resized(text_pool(path, form=kind, disjoint=disjoint, **rows), images)
    if name == "glyphs":
        return _resized(glyph_pool(seed), images)
    raise ValueError(
        f"There is no source {name!r}. Use glyphs, tfds:NAME, folder:PATH, npz:PATH, "
        f"jsonl:PATH or csv:PATH; for regression {', '.join(FAMILIES)}."
    )


def _resized(
    pools: Pool | dict[str, Pool], images: dict[str, Any]
) -> Pool | dict[str, Pool]:
    return resized(pools, size=images["image_size"], channels=images["channels"])


def _refuse(name: str, options: object) -> None:
    """Refuses what can be asked of classes of images only."""
    if options:
        raise ValueError(
            f"{name!r} is a family of functions: it has no classes and no images. "
            "Leave out split, rotations, disjoint, per_class, by_superclass, "
            "image_size and channels."
        )


def _refuse_others(name: str, own: dict[str, Any]) -> None:
    """Refuses what only sources of other kinds can do."""
    kind = name.partition(":")[0]
    defaults = inspect.signature(load).parameters
    for option, said in own.items():
        owners = _OWNERS[option]
        if said and said != defaults[option].default and kind not in owners:
            raise ValueError(
                f"{option} is for {', '.join(f'{each}:' for each in owners)} sources. "
                f"Received: {option}={said!r} for {name!r}. Leave out {option}."
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
