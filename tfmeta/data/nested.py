"""Examples that are nests of arrays, with their shapes and dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf


def as_arrays(x: Any) -> Any:
    """Turns the examples that a user gives into arrays.

    Args:
        x: An array, or a nest of arrays. A dict or a tuple is a nest; a list becomes
            one array, and so does an array of objects, such as of equal arrays.

    Returns:
        The same structure with NumPy arrays as its leaves. Texts are in arrays of
        Python objects: NumPy's own texts would all take the room of the longest.

    Raises:
        ValueError: By NumPy, if the elements of a list differ in shape.

    Example:
        >>> {k: a.shape for k, a in as_arrays({"a": [1, 2], "b": np.eye(2)}).items()}
        {'a': (2,), 'b': (2, 2)}
    """
    if isinstance(x, Mapping):
        return {name: as_arrays(value) for name, value in x.items()}
    if isinstance(x, tuple):
        return _tuple_like(x, map(as_arrays, x))
    if isinstance(x, list) and any(isinstance(each, str | bytes) for each in x):
        texts = np.empty(len(x), object)
        texts[:] = x
        return texts
    array = np.asarray(x)
    if array.dtype.kind in "US":
        return array.astype(object)
    return array if holds_texts(array) else as_array(array)


def holds_texts(array: np.ndarray) -> bool:
    """Whether an array that `as_arrays` made holds a text."""
    return array.dtype.kind == "O" and any(
        isinstance(each, str | bytes) for each in array.flat
    )


def as_array(x: Any) -> np.ndarray:
    """Turns an array, a list, or an array of objects such as equal arrays into one.

    Args:
        x: What NumPy reads as one array.

    Raises:
        ValueError: By NumPy, if the elements differ in shape.
    """
    array = np.asarray(x)
    return np.asarray(array.tolist()) if array.dtype.kind == "O" else array


def example_shape(x: Any) -> Any:
    """The shape of one example, or of each part of it.

    Args:
        x: An array `(examples, ...)`, or a nest of them.

    Returns:
        A tuple, or a nest of tuples of the structure of `x`.
    """
    return tf.nest.map_structure(lambda leaf: tuple(leaf.shape[1:]), x)


def example_dtype(x: Any) -> Any:
    """The dtype of an array, or those of a nest of arrays, in its structure."""
    return tf.nest.map_structure(lambda leaf: leaf.dtype, x)


def map_shapes(
    function: Callable[[tuple[int, ...], Any], Any], shapes: Any, dtypes: Any
) -> Any:
    """Applies a function to the shape and the dtype of each part of an example.

    `tf.nest` takes a shape for a nest of numbers, so it cannot do this on its own.

    Args:
        function: A function of a shape, which is a tuple, and of a NumPy dtype; it may
            return anything.
        shapes: The shape of one example, or a nest of shapes.
        dtypes: The NumPy dtype of examples, or a nest of dtypes.

    Returns:
        A nest of the structure of the examples.

    Example:
        >>> shapes = {"image": (8, 8, 1), "age": ()}
        >>> dtypes = {"image": "u1", "age": "f8"}
        >>> map_shapes(lambda shape, dtype: (dtype, *shape), shapes, dtypes)
        {'image': ('u1', 8, 8, 1), 'age': ('f8',)}
    """

    def mapped(shape: Any, dtype: Any) -> Any:
        if isinstance(dtype, dict):
            return {name: mapped(shape[name], dtype[name]) for name in dtype}
        if isinstance(dtype, tuple):
            return _tuple_like(dtype, map(mapped, shape, dtype))
        return function(shape, dtype)

    return mapped(shapes, dtypes)


def array_shape(shape: Any, dtype: Any) -> tuple[int, ...] | None:
    """The shape of one example; None where an example is a nest of several arrays.

    Args:
        shape: The shape of one example, or a nest of shapes.
        dtype: The dtype of examples, or a nest of dtypes.
    """
    return None if tf.nest.is_nested(dtype) else shape


def _tuple_like(model: tuple[Any, ...], parts: Iterable[Any]) -> tuple[Any, ...]:
    """Returns a tuple of parts; a named tuple if `model` is one."""
    kind: Any = type(model)
    return kind(*parts) if hasattr(model, "_fields") else tuple(parts)
