"""A folder of pictures as a source."""

from __future__ import annotations

import math
import pathlib
import warnings
from typing import TypeAlias

import numpy as np

from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.source import Source
from tfmeta.data.sources.arrays import classes_of
from tfmeta.data.sources.class_lists import PARTS, ClassSplit
from tfmeta.data.sources.pool import EXAMPLES, Pool, divide
from tfmeta.data.sources.resizing import check_fit
from tfmeta.data.sources.rotations import turned
from tfmeta.data.stores.choice import AUTO, on_disk
from tfmeta.data.stores.memory import MemoryStore
from tfmeta.data.stores.picture_files import PictureFiles, broken, read_all
from tfmeta.data.stores.store import Store

IMAGE_SIZE, CHANNELS = 84, 3
PICTURES = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
_NAMED = 10  # Broken pictures that the warning names.

_Classes: TypeAlias = dict[str, list[pathlib.Path]]


def from_folder(
    path: str | pathlib.Path,
    *,
    split: ClassSplit | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    rotations: bool = False,
    seed: int = 0,
    skip_broken: bool = False,
    disjoint: str | None = None,
    store: str = AUTO,
) -> Source:
    """Reads your own pictures: each folder that holds pictures is a class.

    A class is named by its folder, or by its path ("Korean/character01") where
    folders are nested. Where the folders train, val and test stand above those of
    the classes, they are the splits. Hidden files, and files whose ending is not that
    of a picture, are ignored. Every picture is turned as its EXIF data says, laid on
    white where it is transparent, and resized, not cropped, to a square. In memory
    84x84 in colour is 21 kB a picture; more than fits is read from the disk as it is
    drawn.

    Args:
        path: The folder.
        split: See `from_arrays`; left out where the folder has train, val and test.
        image_size: Height and width; None for 84, as `tfmeta.nets.resnet12` takes.
            28 is enough for characters.
        channels: 1 (grey) or 3 (colour); None for 3.
        rotations: Whether pictures turned by 90, 180 and 270 degrees are classes too.
        seed: Another seed takes other classes where `split` are fractions.
        skip_broken: Whether pictures that cannot be read are left out, with a warning
            that names them; else the first is an error.
        disjoint: See `from_arrays`.
        store: "memory"; or "disk" to read, decode and resize each picture as it is
            drawn. Then a picture that cannot be read is an error when it is drawn,
            unless `skip_broken` looks for all such first. "auto" draws from the disk if
            all pictures together take more than 2 GB.

    Returns:
        The source, uint8 images; classes and pictures are in the
        order of their names.

    Raises:
        ValueError: Where there is no such folder, a folder is empty, splits share a
            class, a picture cannot be read, or a class is left without any.
        ImportError: Where Pillow is not installed.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("owl", "tit", "wren"):
        ...     (root / name).mkdir()
        ...     Image.new("RGB", (60, 40), "red").save(root / name / "1.png")
        >>> source = from_folder(root, image_size=32)
        >>> source.train.x.shape, source.train.x.dtype.name
        ((1, 32, 32, 3), 'uint8')
    """
    pools = folder_pools(
        path,
        image_size=image_size,
        channels=channels,
        skip_broken=skip_broken,
        store=store,
        disjoint=disjoint,
    )
    source = divide(pools, split, seed=seed, disjoint=disjoint)
    return turned(source) if rotations else source


def folder_pools(
    path: str | pathlib.Path,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    store: str = AUTO,
    disjoint: str | None = None,
) -> Pool | dict[str, Pool]:
    """Lists a folder's pictures; the arguments are those of `from_folder`.

    Returns:
        All pictures; or those of each part, if the folder has train, val and test.
    """
    check_fit(size=image_size, channels=channels)
    size = IMAGE_SIZE if image_size is None else image_size
    form = PictureFormat(size, size, CHANNELS if channels is None else channels)
    found = _found(pathlib.Path(path))
    if disjoint != EXAMPLES:
        _check_disjoint(str(path), found)
    pictures = sum(
        len(files) for classes in found.values() for files in classes.values()
    )
    disk = on_disk(store, pictures * math.prod(form.shape))
    pools = {
        part: _pool(f"folder:{path}", found.get(part, {}), form, disk, skip_broken)
        for part in ([""] if "" in found else PARTS)
    }
    return pools.get("", pools)


def _found(root: pathlib.Path) -> dict[str, _Classes]:
    """Returns the pictures of each class of each split; one split "" if undivided."""
    if not root.is_dir():
        raise ValueError(
            f"There is no folder {str(root)!r}. Give one that holds a folder of "
            "pictures for each class."
        )
    loose, folders = _content(root)
    if loose or not folders:
        what = f"pictures such as {loose[0].name!r} beside them" if loose else "none"
        raise ValueError(
            f"{str(root)!r} must hold folders, one for each class, with its pictures "
            f"in it. Received: {what}. Put every picture in the folder of its class."
        )
    if all(folder.name in PARTS for folder in folders):
        _check_no_stray(folders)
    splits = [f for f in folders if f.name in PARTS and _holds_folders_alone(f)]
    if not splits:
        return {"": _classes(root)}
    others = [f.name for f in folders if f not in splits]
    if others:
        raise ValueError(
            f"{str(root)!r} has folders of classes in {splits[0].name!r}, so beside it "
            "may stand no others than train, val and test, with folders of classes in "
            f"them. Received: {others[0]!r}. Move or rename it."
        )
    return {folder.name: _classes(folder) for folder in splits}


def _content(folder: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Returns a folder's pictures and folders by name, whatever the file system's."""
    entries = (e for e in folder.iterdir() if not e.name.startswith("."))
    ordered = sorted(entries, key=lambda entry: entry.name)
    pictures = [e for e in ordered if e.suffix.lower() in PICTURES and e.is_file()]
    return pictures, [e for e in ordered if e.is_dir()]


def _check_no_stray(parts: list[pathlib.Path]) -> None:
    """Refuses a picture beside the classes of train, val or test."""
    for part in parts:
        pictures, folders = _content(part)
        if pictures and folders:
            raise ValueError(
                f"{str(part)!r} holds folders of classes, and beside them the picture "
                f"{pictures[0].name!r}. Put it in the folder of its class, or remove "
                "it."
            )


def _holds_folders_alone(folder: pathlib.Path) -> bool:
    pictures, folders = _content(folder)
    return bool(folders) and not pictures


def _classes(root: pathlib.Path) -> _Classes:
    """Returns the pictures of each folder below that has any, sorted by its path."""
    classes: _Classes = {}
    for folder in _content(root)[1]:
        pictures, deeper = _content(folder)
        if not pictures and not deeper:
            raise ValueError(
                f"The folder {str(folder)!r} holds no picture "
                f"({', '.join(PICTURES)}). Put some in, or remove it."
            )
        if pictures:
            classes[folder.name] = pictures
        for name, files in _classes(folder).items():
            classes[f"{folder.name}/{name}"] = files
    return dict(sorted(classes.items()))


def _check_disjoint(root: str, found: dict[str, _Classes]) -> None:
    owner: dict[str, str] = {}
    for part, classes in found.items():
        for name in classes:
            if owner.setdefault(name, part) != part:
                raise ValueError(
                    f"The splits of {root!r} must share no class, since new "
                    f"classes are what is tested, but {name!r} is in {owner[name]!r} "
                    f"and {part!r}. Move each class into one of them, or all classes "
                    'into one folder, which is then split for you; or say disjoint="'
                    'examples" to test new pictures of the same classes.'
                )


def _pool(
    name: str, classes: _Classes, form: PictureFormat, disk: bool, skip_broken: bool
) -> Pool:
    """Makes the pool of some classes' pictures, on disk or read into memory."""
    labels = np.array([n for n, files in classes.items() for _ in files], np.str_)
    paths = [str(file) for files in classes.values() for file in files]
    files = PictureFiles(paths, form)
    pixels, wrong = read_all(files) if not disk else (None, {})
    if disk and skip_broken:
        wrong = broken(files)
    if wrong and not skip_broken:
        first = min(wrong)
        raise ValueError(
            f"The picture {paths[first]!r} cannot be read: {wrong[first]}. Replace or "
            "remove it, or leave out all such with skip_broken=True."
        )
    whole = np.setdiff1d(np.arange(len(paths)), sorted(wrong))
    lost = sorted(set(labels.tolist()) - set(labels[whole].tolist()))
    _tell_broken([paths[i] for i in sorted(wrong)], lost)
    store: Store = files
    if pixels is not None:
        store = MemoryStore(pixels[whole] if wrong else pixels)
    elif wrong:
        store = PictureFiles([paths[i] for i in whole], form)
    groups, names = classes_of(labels[whole], None)
    return Pool(name, store, groups, names, prepare=Preparation(pictures=form))


def _tell_broken(broken: list[str], lost: list[str]) -> None:
    """Warns of pictures left out; refuses classes `lost` with all their pictures."""
    if lost:
        raise ValueError(
            f"None of the pictures of the class {lost[0]!r} can be read. Replace them, "
            "or remove its folder."
        )
    if broken:
        more = ", ..." if len(broken) > _NAMED else ""
        warnings.warn(
            f"Pictures that cannot be read are left out ({len(broken)}): "
            f"{', '.join(broken[:_NAMED])}{more}.",
            stacklevel=4,
        )
