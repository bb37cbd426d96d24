"""Functions on nests of tensors: of examples, predictions and adapted states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor


def count(x: Nest) -> Any:
    """The length of the leading axis, which all leaves share.

    Args:
        x: A nest of tensors, `(examples, ...)` each.

    Returns:
        A Python integer where the length is static, else a scalar int32 tensor.
    """
    first = tf.nest.flatten(x)[0]
    size = first.shape[0]
    return tf.shape(first)[0] if size is None else size


def take(x: Nest, rows: Tensor) -> Nest:
    """The chosen rows of each leaf, in the order of `rows`."""
    return tf.nest.map_structure(lambda leaf: tf.gather(leaf, rows), x)


def concat(first: Nest, second: Nest) -> Nest:
    """Joins two nests of one structure along the leading axis."""
    return tf.nest.map_structure(lambda a, b: tf.concat([a, b], axis=0), first, second)


def flat(x: Nest) -> Tensor:
    """Puts all numbers of an example into one row.

    Args:
        x: A nest of tensors, `(examples, ...)` each.

    Returns:
        `(examples, numbers)`, in the dtype of the first leaf.
    """

    def row(leaf: Tensor) -> Tensor:
        # With -1 in place of the size, a leaf of no examples could not be reshaped.
        size = leaf.shape[1:].num_elements()
        size = tf.reduce_prod(tf.shape(leaf)[1:]) if size is None else size
        return tf.reshape(leaf, [tf.shape(leaf)[0], size])

    rows = [row(leaf) for leaf in tf.nest.flatten(x)]
    if len(rows) == 1:
        return rows[0]
    return tf.concat([tf.cast(each, rows[0].dtype) for each in rows], axis=1)


def named(nest: Nest, prefix: str = "") -> dict[str, Tensor]:
    """Names the leaves of a nest by where they are in it.

    Keys and fields are joined by underscores, places in a list are numbered:
    `{"params": [a, b], "present": c}` gives `params_00`, `params_01` and `present`.

    Args:
        nest: Dicts, lists and tuples of leaves, or a lone leaf.
        prefix: The text that all names begin with. A lone leaf is named by it alone, or
            "adapted" if it is empty.

    Returns:
        The leaves by name, in the order of `tf.nest.flatten`.

    Raises:
        ValueError: If two leaves get the same name.
    """
    pairs = list(_walk((prefix,) if prefix else (), nest))
    names = {"_".join(path) or "adapted": leaf for path, leaf in pairs}
    if len(names) < len(pairs):
        raise ValueError(
            "Each tensor of a nest must get a name of its own, made of the keys on "
            f"the way to it. Received: {sorted(names)}, some of them twice. Rename "
            "its keys."
        )
    return names


def _walk(path: tuple[str, ...], nest: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(nest, dict):
        items = [(str(name), nest[name]) for name in sorted(nest)]
    elif hasattr(nest, "_fields"):
        items = [(field, getattr(nest, field)) for field in nest._fields]
    elif isinstance(nest, list | tuple):
        width = max(2, len(str(len(nest) - 1)))
        items = [(f"{i:0{width}}", value) for i, value in enumerate(nest)]
    else:
        yield path, nest
        return
    for name, value in items:
        yield from _walk((*path, name), value)
