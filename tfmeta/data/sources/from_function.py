"""Regression tasks from a family of functions."""

from __future__ import annotations

from tfmeta.data.function_split import FunctionSplit
from tfmeta.data.sampling.function_sampler import Function
from tfmeta.data.source import Source


def from_function(
    function: Function,
    *,
    low: float = -5.0,
    high: float = 5.0,
    name: str = "functions",
) -> Source:
    """Makes a source of regression tasks from a family of functions.

    Args:
        function: A function of a key and x, see `FunctionSplit`.
        low: The lowest x; x is drawn evenly.
        high: The highest x.
        name: The source's name.

    Returns:
        Its three parts, whose episodes have no way: `y` is `(tasks, points, 1)`.

    Raises:
        ValueError: If `low` is not below `high`.

    Example:
        >>> import tensorflow as tf
        >>> from tfmeta.data import episodes
        >>> def parabola(key, x):
        ...     return tf.random.stateless_uniform((), key, -1.0, 1.0) * x**2
        >>> source = from_function(parabola, low=-2.0, high=2.0)
        >>> x, y = next(iter(episodes(source.train, shot=5, query=10, tasks=4)))
        >>> x["support_x"].shape, y.shape
        (TensorShape([4, 5, 1]), TensorShape([4, 10, 1]))
    """
    parts = (FunctionSplit(p, function, low, high) for p in ("train", "val", "test"))
    return Source(name, *parts)
