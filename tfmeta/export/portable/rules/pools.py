"""Gradients of pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.export.portable.known import known
from tfmeta.export.portable.rules.windows import (
    Windows,
    laid,
    padded,
    taken,
    windows_of,
)


def largest(op: tf.Operation, x: Any, y: Any, dy: Any) -> Any:
    """`MaxPoolGrad`: the first of the largest entries of a window has the gradient."""
    axes = windows_of(op, x.shape[1:3], op.get_attr("ksize")[1:3])
    around = padded(x, axes, x.dtype.min)
    open_ = tf.ones_like(y, tf.bool)  # No entry of the window has been as large yet.
    found = tf.zeros_like(x)
    for row in range(axes[0].size):
        for column in range(axes[1].size):
            chosen = open_ & tf.equal(taken(around, axes, row, column), y)
            open_ = open_ & ~chosen
            part = tf.where(chosen, dy, tf.zeros_like(dy))
            found += laid(part, axes, row, column)
    return found


def average(op: tf.Operation, shape: Any, dy: Any) -> Any:
    """`AvgPoolGrad`: each entry has its share; padding is not counted."""
    axes = windows_of(op, known(shape)[1:3], op.get_attr("ksize")[1:3])
    down, across = (_counts(w) for w in axes)
    share = dy / tf.constant(np.outer(down, across)[..., np.newaxis], dy.dtype)
    parts = [
        laid(share, axes, row, column)
        for row in range(axes[0].size)
        for column in range(axes[1].size)
    ]
    return sum(parts[1:], parts[0])


def _counts(w: Windows) -> np.ndarray:
    """How many entries of each window are no padding."""
    starts = np.arange(w.count) * w.stride - w.before
    return np.minimum(starts + w.size, w.length) - np.maximum(starts, 0)


POOLS = {"AvgPoolGrad": average, "MaxPoolGrad": largest}
