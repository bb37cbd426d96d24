"""Rotated images as classes of their own."""

from __future__ import annotations

import numpy as np

from tfmeta.data.nested import array_shape
from tfmeta.data.source import Source
from tfmeta.data.split import Split
from tfmeta.data.stores.memory import in_memory
from tfmeta.data.stores.store import Store
from tfmeta.data.stores.turned import TurnedStore

# Bytes up to which turned pictures are copied, since drawing copies is faster.
_COPIED = 500 * 10**6


def with_rotations(split: Split) -> Split:
    """Adds every class three times more, turned by 90, 180 and 270 degrees.

    A turned character is taken for another character: four times the classes. A class
    and its rotations stay in one split.

    Args:
        split: Square images, `(examples, size, size, channels)`.

    Returns:
        A split of the same name. Class `r * num_classes + c` is class `c` turned
        counter-clockwise by `r * 90` degrees; "a" turned by 90 is "a/rot90".

    Raises:
        ValueError: Where the examples are not square images.

    Example:
        >>> x = np.uint8([[[[1], [2]], [[3], [4]]]])
        >>> turned = with_rotations(Split("train", x, np.int32([0]), ("a",)))
        >>> turned.class_names
        ('a', 'a/rot90', 'a/rot180', 'a/rot270')
        >>> turned.x[1, :, :, 0].tolist()
        [[2, 4], [1, 3]]

    Reference:
        Santoro et al., "Meta-Learning with Memory-Augmented Neural Networks", ICML
        2016. Does not differ from the paper.
    """
    _check_square(split)
    return _with_rotations(split, _turned(split.store))


def turned(source: Source) -> Source:
    """Adds the classes of turned images to each part of a source.

    Args:
        source: A source of square images.

    Returns:
        The source with four times the classes.

    Raises:
        ValueError: Where the examples are not square images.
    """
    parts = (source.train, source.val, source.test)
    for part in parts:
        _check_square(part)
    stores = {id(store): _turned(store) for store in {part.store for part in parts}}
    turned_parts = (_with_rotations(part, stores[id(part.store)]) for part in parts)
    return Source(source.name, *turned_parts)


def _check_square(split: Split) -> None:
    shape = array_shape(split.example_shape, split.dtype)
    if shape is None or len(shape) != 3 or shape[0] != shape[1]:
        raise ValueError(
            "Rotations need square images (size, size, channels), but the examples of "
            f"split {split.name!r} have shape {split.example_shape}. Set "
            "image_size to bring them to squares, or leave out rotations."
        )


def _turned(store: Store) -> Store:
    """A store's pictures and those that are turned, copied if they are small."""
    drawn = TurnedStore(store)
    small = store.place == "memory" and 4 * store.nbytes <= _COPIED
    return in_memory(drawn) if small else drawn


def _with_rotations(split: Split, store: Store) -> Split:
    names = list(split.class_names)
    for degrees in (90, 180, 270):
        names += [f"{name}/rot{degrees}" for name in split.class_names]
    rows = np.arange(len(split)) if split.rows is None else split.rows
    quarters = range(4)
    return Split(
        split.name,
        store,
        np.concatenate([split.y + r * split.num_classes for r in quarters]),
        names,
        rows=np.concatenate([rows + r * len(split.store) for r in quarters]),
        prepare=split.prepare,
        disjoint=split.disjoint,
    )
