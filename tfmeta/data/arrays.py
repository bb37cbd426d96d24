"""Arrays in memory as a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from tfmeta.data.class_lists import FRACTIONS, PARTS, ClassSplit, class_parts
from tfmeta.data.rotations import with_rotations
from tfmeta.data.source import Source
from tfmeta.data.split import Split

Arrays: TypeAlias = np.ndarray | Sequence[np.ndarray]


def from_arrays(
    x: Arrays,
    y: Arrays,
    *,
    class_names: Sequence[str] | None = None,
    split: ClassSplit | None = FRACTIONS,
    rotations: bool = False,
    seed: int = 0,
    name: str = "arrays",
) -> Source:
    """Makes a source of your own examples.

    The classes, not the examples, are shared out among meta-train, meta-val and
    meta-test. Where that is done already, `x` and `y` are three arrays each.

    Args:
        x: `(examples, *example_shape)`, or three such arrays for train, val and test.
            uint8 images may lack the channel axis.
        y: `(examples,)` labels, integers or strings, in any order; or three such
            arrays, which number the classes across the three splits.
        class_names: The name of each label where labels are `0..len(class_names)-1`;
            None names a class by its label. A class without examples is left out.
        split: Three fractions of the classes; or `{"train": [names], "val": [names],
            "test": [names]}`; or a string, see `class_lists`.
        rotations: Whether images turned by 90, 180 and 270 degrees are classes too.
        seed: Which classes the fractions take.
        name: The source's name.

    Returns:
        The three class-disjoint splits.

    Raises:
        ValueError: Where the arrays do not fit together, or a split does not.

    Example:
        >>> x = np.zeros((100, 8, 8, 1), np.uint8)
        >>> source = from_arrays(x, np.arange(100) % 10, split=(0.6, 0.2, 0.2))
        >>> source.train.num_classes, source.val.num_classes, len(source.test.y)
        (6, 2, 20)
    """
    if isinstance(x, (tuple, list)):
        source = _from_splits(x, y, class_names, split, name)
    else:
        examples, labels = _checked(x, y)
        classes, names = _classes(labels, class_names)
        parts = class_parts(split, names, seed=seed)
        taken = {p: _part(p, examples, classes, names, ids) for p, ids in parts.items()}
        source = Source(name, **taken)
    if not rotations:
        return source
    return Source(name, *(with_rotations(getattr(source, part)) for part in PARTS))


def _from_splits(
    x: Arrays,
    y: Arrays,
    class_names: Sequence[str] | None,
    split: ClassSplit | None,
    name: str,
) -> Source:
    """Makes a source of three pairs of arrays."""
    if split is not None and split is not FRACTIONS:
        raise ValueError(
            "split must be left out where x and y are given for train, val and test. "
            f"Received: {split!r}."
        )
    if len(x) != 3 or len(y) != 3:
        raise ValueError(
            "x and y must be one array each, or three each (train, val, test). "
            f"Received: {len(x)} for x, {len(y)} for y."
        )
    splits = []
    for part, one_x, one_y in zip(PARTS, x, y, strict=True):
        one_x, one_y = _checked(one_x, one_y, f"{part}_")
        one_y, names = _classes(one_y, class_names)
        splits.append(_part(part, one_x, one_y, names, np.arange(len(names))))
    return Source(name, *splits)


def _checked(x: Arrays, y: Arrays, prefix: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Returns arrays of equal length, images with a channel axis."""
    x, y = np.asarray(x), np.asarray(y)
    if y.ndim != 1 or x.ndim < 1 or len(x) != len(y):
        raise ValueError(
            f"{prefix}x and {prefix}y must have the same length, and {prefix}y must be "
            f"a vector of labels. Received: {prefix}x of shape {x.shape}, {prefix}y of "
            f"shape {y.shape}."
        )
    if y.dtype.kind not in "iuUS":
        raise ValueError(
            f"{prefix}y must hold integers or strings. Received: dtype {y.dtype}."
        )
    if x.dtype.kind not in "biuf":
        raise ValueError(f"{prefix}x must hold numbers. Received: dtype {x.dtype}.")
    if x.dtype.kind == "f":
        whole = np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
        if not whole.all():
            raise ValueError(
                f"{prefix}x must hold finite numbers. Received: NaN or infinite values "
                f"in {int(np.sum(~whole))} of {len(x)} examples, the first in number "
                f"{int(np.argmin(whole))}. Leave them out, or fill them in."
            )
    if x.dtype == np.uint8 and x.ndim == 3:
        x = x[..., np.newaxis]
    return x, y


def _classes(
    y: np.ndarray, class_names: Sequence[str] | None
) -> tuple[np.ndarray, list[str]]:
    """Returns class ids `0..n-1` of the classes that have examples, and their names."""
    labels, y = np.unique(y, return_inverse=True)
    if class_names is None:
        if labels.dtype.kind == "S":
            labels = np.char.decode(labels, "utf-8")
        return y, [str(label) for label in labels]
    if labels.dtype.kind not in "iu":
        raise ValueError(
            "class_names needs integer labels; strings in y are names already. "
            f"Received: y of dtype {labels.dtype}."
        )
    if len(labels) and (labels[0] < 0 or labels[-1] >= len(class_names)):
        raise ValueError(
            f"{len(class_names)} class names need labels in 0..{len(class_names) - 1}. "
            f"Received: labels from {labels[0]} to {labels[-1]}."
        )
    return y, [str(class_names[label]) for label in labels]


def _part(
    part: str, x: np.ndarray, y: np.ndarray, names: Sequence[str], ids: np.ndarray
) -> Split:
    """Returns the split of the classes `ids`, examples sorted by class."""
    new = np.full(len(names), -1, np.int32)
    new[ids] = np.arange(len(ids))
    order = np.argsort(y, kind="stable")
    order = order[new[y[order]] >= 0]
    return Split(part, x[order], new[y[order]], tuple(names[i] for i in ids))
