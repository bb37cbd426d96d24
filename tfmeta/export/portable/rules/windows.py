"""The windows that convolutions and pools slide over pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfmeta.export.portable.unportable import Unportable, layer_of


@dataclass(frozen=True)
class Windows:
    """The windows along one axis of pictures.

    Window `o` of `count` has the entries `o * stride + i * dilation - before`, `i` from
    0 to `size - 1`, of the axis; those outside of it are padding.

    Attributes:
        length: The length of the axis.
        size: The number of a window's entries.
        stride: How far the next window is.
        dilation: How far the next entry of a window is.
        before: The padding before the axis.
        count: The number of windows.
    """

    length: int
    size: int
    stride: int
    dilation: int
    before: int
    count: int

    @property
    def spread(self) -> int:
        """The length of the windows' first entries, with what is between them."""
        return (self.count - 1) * self.stride + 1

    @property
    def after(self) -> int:
        """The padding after the axis that the last window reaches; below 0 for none."""
        reach = self.spread + (self.size - 1) * self.dilation
        return reach - self.before - self.length

    def entries(self, place: int) -> tuple[int, int, int]:
        """Where the entries number `place` of all windows are in the padded axis."""
        start = place * self.dilation
        return start, start + self.spread, self.stride


def windows_of(
    op: tf.Operation, lengths: Sequence[int | None], sizes: Sequence[int | None]
) -> tuple[Windows, Windows]:
    """The windows of an operation along height and width.

    Args:
        op: A convolution, a pool or a gradient of one.
        lengths: Height and width of the pictures.
        sizes: Height and width of a window.

    Raises:
        Unportable: If the lengths are not known before the graph runs, or channels do
            not come last.
    """
    if op.get_attr("data_format") != b"NHWC":
        raise Unportable(f"{op.type} of {layer_of(op)} has its channels before pixels")
    known = [n for n in (*lengths, *sizes) if n is not None]
    if len(known) < 4:
        raise Unportable(f"{op.type} of {layer_of(op)} takes pictures of any size")
    dilated = "dilations" in op.node_def.attr
    dilations = op.get_attr("dilations")[1:3] if dilated else (1, 1)
    strides, padding = op.get_attr("strides")[1:3], op.get_attr("padding")
    explicit = op.get_attr("explicit_paddings")[2:6] if padding == b"EXPLICIT" else ()
    down, across = (
        _along(
            (known[axis], known[2 + axis], strides[axis], dilations[axis]),
            padding == b"SAME",
            explicit[2 * axis : 2 * axis + 2],
        )
        for axis in (0, 1)
    )
    return down, across


def _along(
    axis: tuple[int, int, int, int], same: bool, explicit: Sequence[int]
) -> Windows:
    """The windows along an axis: its length, their size, stride and dilation."""
    length, size, stride, dilation = axis
    reach = (size - 1) * dilation + 1
    if same:
        count = -(-length // stride)
        before = max((count - 1) * stride + reach - length, 0) // 2
    else:
        before, after = explicit or (0, 0)
        count = (length + before + after - reach) // stride + 1
    return Windows(length, size, stride, dilation, before, count)


def padded(x: Any, axes: Sequence[Windows], value: float = 0.0) -> Any:
    """Pictures with the padding that windows reach; without what none reaches.

    Args:
        x: `(examples, height, width, channels)`.
        axes: The windows along height and width.
        value: What padding is.
    """
    pads = [(w.before, max(w.after, 0)) for w in axes]
    if any(any(pad) for pad in pads):
        x = tf.pad(x, [(0, 0), *pads, (0, 0)], constant_values=value)
    return x


def taken(x: Any, axes: Sequence[Windows], row: int, column: int) -> Any:
    """One entry of each window, `(examples, windows, windows, channels)`.

    Args:
        x: Padded pictures.
        axes: The windows along height and width.
        row: The entry's row in its window.
        column: The entry's column.
    """
    (top, bottom, down), (left, right, across) = (
        w.entries(place) for w, place in zip(axes, (row, column), strict=True)
    )
    return x[:, top:bottom:down, left:right:across, :]


def laid(values: Any, axes: Sequence[Windows], row: int, column: int) -> Any:
    """Puts a number for each window where its entry is; 0 elsewhere.

    It is the transpose of `padded` and `taken`.

    Args:
        values: `(examples, windows, windows, channels)`.
        axes: The windows along height and width.
        row: The entry's row in its window.
        column: The entry's column.

    Returns:
        `(examples, height, width, channels)`.
    """
    for axis, (w, place) in enumerate(zip(axes, (row, column), strict=True), start=1):
        values = apart(values, axis, w.stride)
        start = place * w.dilation - w.before
        # What lies in the padding is cut off.
        low, high = max(-start, 0), max(start + w.spread - w.length, 0)
        if low + high >= w.spread:
            shape = tf.shape(values)
            around = [shape[:axis], [w.length], shape[axis + 1 :]]
            values = tf.zeros(tf.concat(around, 0), values.dtype)
            continue
        if low or high:
            values = tf.gather(values, tf.range(low, w.spread - high), axis=axis)
        pads = [(0, 0)] * 4
        pads[axis] = (max(start, 0), w.length - max(start, 0) - (w.spread - low - high))
        if any(pads[axis]):
            values = tf.pad(values, pads)
    return values


def apart(x: Any, axis: int, step: int) -> Any:
    """Puts zeros between the entries of an axis, `step - 1` of them.

    Args:
        x: A tensor of known rank, whose `axis` has a known length.
        axis: The axis.
        step: How far the next entry is then.

    Returns:
        The tensor; its axis has `(length - 1) * step + 1` entries.
    """
    if step == 1:
        return x
    length, rank = x.shape[axis], x.shape.rank
    shape = tf.shape(x)
    before, after = shape[:axis], shape[axis + 1 :]
    pads = [(0, 0)] * (rank + 1)
    pads[axis + 1] = (0, step - 1)
    x = tf.pad(tf.expand_dims(x, axis + 1), pads)
    x = tf.reshape(x, tf.concat([before, [length * step], after], 0))
    begin = [0] * rank
    return tf.slice(x, begin, tf.concat([before, [(length - 1) * step + 1], after], 0))
