"""The smallest and the largest prepared value of examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.prepare.scale_pictures import ScalePictures
from tfmeta.data.stores.store import Store

_AT_ONCE = 256  # The number of examples in memory at a time.

Range = tuple[float, float] | None


def measured(preparation: Preparation, chunks: Iterable[Any]) -> Preparation:
    """A preparation that knows the smallest and the largest value that it has made.

    Examples that are nothing but scaled pictures are in 0..1, and what is made of texts
    has no range; of these only the first chunk is looked at.

    Args:
        preparation: The preparation; it stays as it is.
        chunks: Sets of raw examples, `(examples, ...)` arrays or tensors or a nest of
            them, such as those of `chunks_of`.

    Returns:
        A preparation of the same layer, with `low` and `high`. They are None for a part
        of an example that holds no numbers, or of which there is none that is finite.

    Example:
        >>> doubled = Preparation(keras.layers.Rescaling(2.0))
        >>> found = measured(doubled, [np.float32([[1, 5]]), np.float32([[-3, 2]])])
        >>> found.low, found.high
        ([-6.0], [10.0])
    """
    ranges: list[Range] | None = None
    for chunk in chunks:
        raw = tf.nest.map_structure(tf.convert_to_tensor, chunk)
        if _only_pictures(preparation, raw):
            ranges = [(0.0, 1.0)] * len(tf.nest.flatten(raw))
            break
        if all(leaf.dtype == tf.string for leaf in tf.nest.flatten(raw)):
            ranges = [None] * len(tf.nest.flatten(preparation(raw)))
            break
        found = [_range_of(leaf) for leaf in tf.nest.flatten(preparation(raw))]
        ranges = found if ranges is None else list(map(_joined, ranges, found))
    return preparation.replaced(
        low=[None if each is None else each[0] for each in ranges or ()],
        high=[None if each is None else each[1] for each in ranges or ()],
    )


def chunks_of(store: Store, rows: Any = None) -> Iterator[Any]:
    """Reads a store's examples, some at a time.

    Args:
        store: The store.
        rows: `(examples,)` int64, the ids of the examples; None for all of the store.

    Yields:
        Sets of examples, `(examples, ...)` tensors or a nest of them.
    """
    rows = np.arange(len(store)) if rows is None else np.asarray(rows)
    for start in range(0, len(rows), _AT_ONCE):
        yield store.take(tf.constant(rows[start : start + _AT_ONCE], tf.int64))


def _only_pictures(preparation: Preparation, raw: Any) -> bool:
    layer = preparation.layer
    leaves = named(raw, "" if tf.nest.is_nested(raw) else "x")
    return type(layer) is ScalePictures and all(
        name not in layer.whole and is_picture(leaf.shape[1:], leaf.dtype)
        for name, leaf in leaves.items()
    )


def _range_of(leaf: tf.Tensor) -> Range:
    values = np.asarray(keras.ops.convert_to_numpy(leaf))
    if values.dtype.kind not in "iuf":
        return None
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _joined(a: Range, b: Range) -> Range:
    if a is None or b is None:
        return b if a is None else a
    return min(a[0], b[0]), max(a[1], b[1])
