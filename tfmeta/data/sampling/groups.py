"""Examples that belong to groups: to classes, or to tasks."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.stores.store import Store

PLURALS = {"class": "classes", "task": "tasks"}


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
    """The group that each example belongs to.

    The examples of a group lie next to each other, so a group is a range: example ids
    of group `g` are `starts[g] .. starts[g] + counts[g] - 1`. Every group has at least
    one example.

    Args:
        ids: `(examples,)` integers in `0..len(names)-1`, sorted.
        names: One unique name for each group.
        kind: Errors call a group by this word, "class" or "task".
        column: Errors call `ids` by this name.
        part: Errors name the split by this name.

    Raises:
        ValueError: If `ids` are not sorted integers, or do not fit the names.

    Example:
        >>> ids = np.int32([0, 0, 1])
        >>> groups = Groups(ids, ("a", "b"), kind="class", column="y", part="train")
        >>> groups.counts.tolist(), groups.starts.tolist()
        ([2, 1], [0, 2])
    """

    ids: np.ndarray
    names: tuple[str, ...]
    kind: str
    column: str
    part: str

    def __post_init__(self) -> None:
        _check_names(self.names, self.kind, self.part)
        what = f"{self.column} of split {self.part!r}"
        ids, many = self.ids, PLURALS[self.kind]
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(
                f"{what} must be a vector of integer {self.kind} ids. Received: "
                f"shape {ids.shape}, dtype {ids.dtype}."
            )
        end = len(self.names)
        if len(ids) and (ids.min() < 0 or ids.max() >= end):
            raise ValueError(
                f"{what} must lie in 0..{end - 1}, one id for each of its {end} "
                f"{self.kind} names. Received: {ids.min()}..{ids.max()}."
            )
        if np.any(ids[1:] < ids[:-1]):
            raise ValueError(
                f"{what} must be sorted, so that a {self.kind}'s examples lie next to "
                f"each other. Sort the examples by {self.column}, or use from_arrays, "
                "which does."
            )
        missing = np.flatnonzero(self.counts == 0)
        if missing.size:
            raise ValueError(
                f"Every {self.kind} needs an example, but split {self.part!r} has none "
                f"of {self.names[missing[0]]!r}. Leave it out of the {many}."
            )

    def __repr__(self) -> str:
        """The numbers of groups and of examples, without the ids."""
        many = PLURALS[self.kind]
        return f"Groups({len(self.names):,} {many}, {len(self.ids):,} examples)"

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """The number of examples of each group, `(groups,)` int64."""
        return np.bincount(self.ids, minlength=len(self.names)).astype(np.int64)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """The first example id of each group, `(groups,)` int64."""
        return np.cumsum(self.counts) - self.counts


def check_lengths(x: Any, rows: np.ndarray | None, y: np.ndarray, part: str) -> None:
    """Raises ValueError unless a split has an example for each label or value.

    Args:
        x: An array `(examples, ...)`, a nest of them, or a store.
        rows: The places of the split's examples in `x`; None for all in order.
        y: The labels or values, `(examples, ...)`.
        part: The error names the split by this name.
    """
    store = isinstance(x, Store)
    leaves = [] if store else tf.nest.flatten(x)
    vague = not store and (not leaves or any(a.ndim < 1 for a in leaves))
    lengths = {len(x)} if store else {len(a) for a in leaves if a.ndim}
    fits = not vague and len(lengths) == 1 and y.ndim > 0
    if rows is None:
        if not fits or lengths != {len(y)}:
            shapes = ", ".join(str(a.shape) for a in leaves) or "none"
            what = f"{len(x)} examples" if store else f"x of shape {shapes}"
            raise ValueError(
                f"x and y of split {part!r} must have the same length. Received: "
                f"{what} and y of shape {y.shape}."
            )
        return
    end = min(lengths, default=0)
    if len(rows) != len(y) or (len(rows) and not 0 <= min(rows) <= max(rows) < end):
        raise ValueError(
            f"rows of split {part!r} must be a place in 0..{end - 1} for each of the "
            f"{len(y)} entries of y. Received: {len(rows)} rows."
        )


def _check_names(names: tuple[str, ...], kind: str, part: str) -> None:
    if not part or not isinstance(part, str):
        raise ValueError(f"A split needs a name such as 'train'. Received: {part!r}.")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(
                f"{kind.capitalize()} names must be unique, but split {part!r} names "
                f"{name!r} twice. Rename or merge one of the two."
            )
        seen.add(name)
