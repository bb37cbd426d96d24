"""A part with few examples of each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmeta.data.split import Split
from tfmeta.data.task_split import TaskSplit


def few(part: Any, count: int, seed: int) -> Any:
    """Keeps some examples of each class or task of a part.

    Args:
        part: A `Split` or a `TaskSplit`.
        count: The number of examples of each class or task to keep.
        seed: Another seed keeps others. A larger count of the same seed keeps the
            examples of a smaller one, and more.

    Returns:
        A part of the same name and classes, whose examples lie in the same store.

    Raises:
        ValueError: If `count` is below 1, or more than a class or task has.
    """
    sizes = np.asarray(part.counts)
    if count < 1 or np.any(sizes < count):
        least = int(sizes.min()) if len(sizes) else 0
        raise ValueError(
            f"per_class must be from 1 to the size of the smallest class or task of "
            f"{part.name!r}, which is {least}. Received: {count}."
        )
    kept = [
        start + np.sort(np.random.default_rng([seed, group]).permutation(size)[:count])
        for group, (start, size) in enumerate(zip(part.starts, sizes, strict=True))
    ]
    ids = np.concatenate(kept)
    rows = ids if part.rows is None else part.rows[ids]
    groups = np.repeat(np.arange(len(sizes), dtype=np.int32), count)
    options: dict[str, Any] = {
        "rows": rows,
        "prepare": part.prepare,
        "disjoint": part.disjoint,
    }
    if isinstance(part, Split):
        return Split(part.name, part.store, groups, part.group_names, **options)
    return TaskSplit(
        part.name, part.store, part.y[ids], groups, part.group_names, **options
    )
