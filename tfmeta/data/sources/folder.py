"""A folder of pictures as a source."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import warnings
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfmeta.data.pictures.fit import check_fit, fit_image
from tfmeta.data.source import Source
from tfmeta.data.sources.arrays import from_arrays
from tfmeta.data.sources.class_lists import PARTS, ClassSplit, class_parts

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
) -> Source:
    """Reads your own pictures: each folder that holds pictures is a class.

    A class is named by its folder, or by its path ("Korean/character01") where
    folders are nested. Where the folders train, val and test stand above those of
    the classes, they are the splits. Hidden files, and files whose ending is not that
    of a picture, are ignored. Every picture is turned as its EXIF data says, laid on
    white where it is transparent, and resized, not cropped, to a square. All are held
    in memory: 84x84 in colour is 21 kB a picture.

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

    Returns:
        The three class-disjoint splits, uint8 images; classes and pictures are in the
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
    check_fit(size=image_size, channels=channels)
    size = IMAGE_SIZE if image_size is None else image_size
    shape = (size, size, CHANNELS if channels is None else channels)
    found = _found(pathlib.Path(path))
    x: Any
    y: Any
    if "" in found:
        class_parts(split, list(found[""]), seed=seed)  # Refuses before it reads.
        x, y = _read(found[""], shape, skip_broken)
    elif split is not None:
        raise ValueError(
            f"split must be left out: {str(path)!r} is split already, into the folders "
            f"{', '.join(found)}. Received: {split!r}."
        )
    else:
        pairs = [_read(found.get(part, {}), shape, skip_broken) for part in PARTS]
        x, y = zip(*pairs, strict=True)
    return from_arrays(
        x, y, split=split, rotations=rotations, seed=seed, name=f"folder:{path}"
    )


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
    found = {folder.name: _classes(folder) for folder in splits}
    _check_disjoint(root, found)
    return found


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


def _check_disjoint(root: pathlib.Path, found: dict[str, _Classes]) -> None:
    owner: dict[str, str] = {}
    for part, classes in found.items():
        for name in classes:
            if owner.setdefault(name, part) != part:
                raise ValueError(
                    f"The splits of {str(root)!r} must share no class, since new "
                    f"classes are what is tested, but {name!r} is in {owner[name]!r} "
                    f"and {part!r}. Move each class into one of them, or all classes "
                    "into one folder, which is then split for you."
                )


def _read(
    classes: _Classes, shape: tuple[int, int, int], skip_broken: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pictures `(examples, *shape)` and the names of their classes."""
    files = [(name, file) for name, each in classes.items() for file in each]

    def one(file: pathlib.Path) -> np.ndarray | Exception:
        try:
            return _picture(file, shape)
        except ImportError:
            raise
        except Exception as error:  # Decoders raise whatever they stumble over.
            if skip_broken:
                return error
            raise ValueError(
                f"The picture {str(file)!r} cannot be read: {error}. Replace or remove "
                "it, or leave out all such with skip_broken=True."
            ) from error

    x, whole, broken = np.empty((len(files), *shape), np.uint8), [], []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for i, picture in enumerate(pool.map(one, [file for _, file in files])):
            if isinstance(picture, Exception):
                broken.append(str(files[i][1]))
            else:
                x[i] = picture
                whole.append(i)
    y = np.array([files[i][0] for i in whole], np.str_)
    _tell_broken(broken, sorted(classes.keys() - set(y.tolist())))
    return (x[whole] if broken else x), y


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


def _picture(file: pathlib.Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Returns one picture as a uint8 array of this shape."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            "folder:PATH needs Pillow to read pictures. Install the extra 'data': "
            'pip install "tfmeta[data]".'
        ) from error
    with Image.open(file) as image:
        image.draft(None, (2 * shape[0], 2 * shape[1]))  # A large JPEG decodes smaller.
        plain = _without_alpha(ImageOps.exif_transpose(image))
        plain = plain.convert("L" if shape[2] == 1 else "RGB")
    pixels = np.asarray(plain).reshape(plain.height, plain.width, shape[2])
    with tf.device("CPU:0"):
        return fit_image(pixels, size=shape[0]).numpy()


def _without_alpha(image: Any) -> Any:
    """Returns a picture of 8 bits a channel, laid on white where it is transparent."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 bits")
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip to 255.
        bits = np.asarray(image).astype(np.int64).clip(0, 2**16 - 1)
        return Image.fromarray((bits >> 8).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA"))
    return image
