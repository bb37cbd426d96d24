"""What `adapt` returns, as named tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfmeta.core.episode import Nest, Tensor


def named(adapted: Nest) -> dict[str, Tensor]:
    """Names the tensors of a nest by where they are in it.

    Keys and fields are joined by underscores, places in a list are numbered:
    `{"params": [a, b], "present": c}` gives `params_00`, `params_01` and `present`.

    Args:
        adapted: Dicts, lists and tuples of tensors; a lone tensor is `adapted`.

    Returns:
        The tensors by name, in the order of `tf.nest.flatten`.

    Raises:
        ValueError: If two places get the same name.
    """
    pairs = list(_walk((), adapted))
    names = {"_".join(path) or "adapted": leaf for path, leaf in pairs}
    if len(names) < len(pairs):
        raise ValueError(
            "What adapt returns cannot be served: two of its tensors would have the "
            f"same name. Rename its keys. Received: {sorted(names)}."
        )
    return names


def _walk(path: tuple[str, ...], nest: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(nest, dict):
        items = [(str(key), nest[key]) for key in sorted(nest)]
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
