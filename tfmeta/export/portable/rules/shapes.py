"""The bookkeeping of shapes that gradients need."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.export.portable.known import known
from tfmeta.export.portable.unportable import Unportable, layer_of


def reshape(op: tf.Operation, x: Any, shape: Any) -> Any:
    """`Reshape`, to a shape that is known but for one length."""
    try:
        lengths = known(shape)
    except ValueError:
        return NotImplemented
    whole = tf.get_static_value(shape) is not None
    if whole or lengths.count(None) != 1 or {0, -1} & set(lengths):
        return NotImplemented
    return tf.reshape(x, [-1 if n is None else n for n in lengths])


def shape_n(op: tf.Operation, *inputs: Any) -> list[Any]:
    """`ShapeN`."""
    return [tf.shape(x, op.get_attr("out_type")) for x in inputs]


def bias(op: tf.Operation, x: Any, b: Any) -> Any:
    """`BiasAdd` of channels that are last."""
    _check_channels(op)
    return x + b


def bias_gradient(op: tf.Operation, dy: Any) -> Any:
    """`BiasAddGrad` of channels that are last."""
    _check_channels(op)
    return tf.reduce_sum(dy, list(range(dy.shape.rank - 1)))


def _check_channels(op: tf.Operation) -> None:
    if op.get_attr("data_format") != b"NHWC":
        raise Unportable(f"{op.type} of {layer_of(op)} has its channels before pixels")


def broadcast(op: tf.Operation, left: Any, right: Any) -> tuple[Any, Any]:
    """`BroadcastGradientArgs`: the axes along which two gradients are summed.

    An axis of the one is summed if it has one entry where the other has more. Of two
    axes of unknown lengths it is taken that they are equally long.
    """
    shapes = known(left), known(right)
    rank = max(map(len, shapes))
    a, b = ([*[1] * (rank - len(shape)), *shape] for shape in shapes)
    axes = [
        [i for i in range(rank) if mine[i] == 1 and other[i] != 1]
        for mine, other in ((a, b), (b, a))
    ]
    both = [i for i in range(rank) if a[i] == b[i] == 1]
    first, second = (
        tf.constant(sorted(own + both), left.dtype, [len(own) + len(both)])
        for own in axes
    )
    return first, second


def dynamic_stitch(op: tf.Operation, *inputs: Any) -> Any:
    """`DynamicStitch` of places that are known: rows in another order.

    Raises:
        Unportable: If a place is not known before the graph runs.
    """
    half = len(inputs) // 2
    places = [tf.get_static_value(t) for t in inputs[:half]]
    if any(place is None for place in places):
        raise Unportable(f"{op.type} of {layer_of(op)} joins rows at unknown places")
    every = np.concatenate([np.reshape(place, -1) for place in places])
    # Where several rows have one place, the last stays.
    last = {int(place): row for row, place in enumerate(every)}
    rows = [
        tf.reshape(data, [-1, *data.shape[place.ndim :]])
        for data, place in zip(inputs[half:], places, strict=True)
    ]
    order = [last[place] for place in range(1 + int(every.max()))]
    return tf.gather(tf.concat(rows, 0), tf.constant(order, tf.int32))


def concat_offset(op: tf.Operation, axis: Any, *shapes: Any) -> list[Any]:
    """`ConcatOffset`: where each of several tensors begins in their concatenation."""
    place = int(tf.get_static_value(axis))
    start, found = tf.zeros([], shapes[0].dtype), []
    for shape in shapes:
        rank = shape.shape[0]
        only = tf.one_hot(place % rank, rank, dtype=shape.dtype)
        found.append(only * start)
        start = start + shape[place]
    return found


SHAPES = {
    "BiasAdd": bias,
    "BiasAddGrad": bias_gradient,
    "BroadcastGradientArgs": broadcast,
    "ConcatOffset": concat_offset,
    "DynamicStitch": dynamic_stitch,
    "Reshape": reshape,
    "ShapeN": shape_n,
}
