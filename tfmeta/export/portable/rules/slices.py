"""The gradient of slices: zeros around, and between, what was taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.export.portable.known import known
from tfmeta.export.portable.rules.windows import apart
from tfmeta.export.portable.unportable import Unportable, layer_of


def strided_slice(
    op: tf.Operation, shape: Any, begin: Any, end: Any, strides: Any, dy: Any
) -> Any:
    """`StridedSliceGrad`, of steps forward from places that are known.

    Raises:
        Unportable: If a place is not known before the graph runs, or a step is
            backward.
    """
    lengths, ends = known(shape), [known(t) for t in (begin, end, strides)]
    if any(None in each for each in ends):
        raise Unportable(f"{op.type} of {layer_of(op)} slices at unknown places")
    flags = {name: _bits(op, name) for name in ("ellipsis", "new_axis", "shrink_axis")}
    entries = len(ends[0])
    # Entries of the index that are of an axis of the tensor.
    own = [
        i
        for i in range(entries)
        if i not in flags["ellipsis"] and i not in flags["new_axis"]
    ]
    pads: list[Sequence[Any]] = []
    for i in range(entries):
        axis = len(pads)
        if i in flags["ellipsis"]:
            pads += [(0, 0)] * (len(lengths) - len(own))
        elif i in flags["new_axis"]:
            dy = tf.squeeze(dy, [axis])
        elif i in flags["shrink_axis"]:
            dy = tf.expand_dims(dy, axis)
            pads.append(_around(shape, lengths, axis, (ends[0][i], None, 1), one=True))
        else:
            start = None if i in _bits(op, "begin") else ends[0][i]
            stop = None if i in _bits(op, "end") else ends[1][i]
            step = ends[2][i] or 1
            if step < 1 or (step > 1 and lengths[axis] is None):
                raise Unportable(f"{op.type} of {layer_of(op)} has a step of {step}")
            dy = apart(dy, axis, step)
            pads.append(_around(shape, lengths, axis, (start, stop, step)))
    pads += [(0, 0)] * (len(lengths) - len(pads))
    none = all(isinstance(n, int) and n == 0 for pad in pads for n in pad)
    return dy if none else tf.pad(dy, pads)


def _bits(op: tf.Operation, name: str) -> set[int]:
    """The entries of the index that a mask marks."""
    mask = op.get_attr(f"{name}_mask")
    return {i for i in range(mask.bit_length()) if mask >> i & 1}


def _around(
    shape: Any,
    lengths: Sequence[int | None],
    axis: int,
    taken: tuple[int | None, int | None, int],
    *,
    one: bool = False,
) -> tuple[Any, Any]:
    """How many zeros come before and after what was taken along an axis."""
    start, stop, step = taken
    length = lengths[axis]
    if one:
        stop = None if start == -1 else (start or 0) + 1
    if length is not None:
        chosen = range(*slice(start, stop, step).indices(length))
        return (chosen[0], length - 1 - chosen[-1]) if chosen else (0, length)
    if start in (None, 0) and stop is None:
        return 0, 0
    # The length is known when the graph runs; a place below 0 counts from the end.
    size = shape[axis]
    first = _place(start or 0, size)
    last = size if stop is None else tf.maximum(_place(stop, size), first)
    return first, size - last


def _place(place: int, size: Any) -> Any:
    return tf.maximum(size + place, 0) if place < 0 else tf.minimum(place, size)


SLICES = {"StridedSliceGrad": strided_slice}
