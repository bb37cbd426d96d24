"""The examples of a data set, before and while they are divided into three parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmeta.data.grouped_part import GroupedPart
from tfmeta.data.prepare.texts import is_text
from tfmeta.data.prepare.tokens import Tokens
from tfmeta.data.sampling.groups import PLURALS
from tfmeta.data.source import Source
from tfmeta.data.sources.class_lists import (
    FRACTIONS,
    PARTS,
    ClassSplit,
    class_parts,
    fractions_of,
    shares,
)
from tfmeta.data.sources.few import few
from tfmeta.data.split import Split
from tfmeta.data.stores.store import Store
from tfmeta.data.task_split import TaskSplit

EXAMPLES = "examples"
_LACKING = (0.8, 0.2, 0.0)  # What a part that a data set lacks takes from train.


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """All examples of a data set, which are not divided yet.

    Attributes:
        name: The name of the source.
        store: Where the examples lie.
        groups: `(examples,)` integers in `0..len(names)-1`: the class or the task that
            each example belongs to, in any order.
        names: One name for each class or task.
        values: `(examples, ...)` float32 targets, whose groups are tasks; None where an
            example's group is its class.
        parts: `(examples,)` integers, the place in `PARTS` of the part in which the
            data set itself has each example; None if it is undivided.
        prepare: How an example becomes what a net takes, for `Split` and `TaskSplit`;
            None for the default, which is `Tokens` for texts.
    """

    name: str
    store: Store
    groups: np.ndarray
    names: Sequence[str]
    values: np.ndarray | None = None
    parts: np.ndarray | None = None
    prepare: Any = None

    @property
    def kind(self) -> str:
        """What a group is: "class" or "task"."""
        return "class" if self.values is None else "task"

    def part(
        self,
        name: str,
        *,
        groups: np.ndarray | None = None,
        examples: np.ndarray | None = None,
        disjoint: str | None = None,
    ) -> GroupedPart:
        """Makes a part, whose examples stay where they lie.

        Args:
            name: The name of the part.
            groups: The sorted ids of the part's groups; None for all.
            examples: `(examples,)` bools, which examples are the part's; None for all.
            disjoint: What the part shares with no other; None for its groups.

        Returns:
            A `Split`, or a `TaskSplit` if the targets are values.
        """
        taken = np.arange(len(self.names)) if groups is None else groups
        new = np.full(len(self.names), -1, np.int32)
        new[taken] = np.arange(len(taken))
        rows = np.argsort(self.groups, kind="stable")
        chosen = new[self.groups[rows]] >= 0
        rows = rows[chosen if examples is None else chosen & examples[rows]]
        ids, names = new[self.groups[rows]], tuple(self.names[int(i)] for i in taken)
        in_order = len(rows) == len(self.groups) and bool(np.all(np.diff(rows) == 1))
        options: dict[str, Any] = {
            "rows": None if in_order else rows,
            "prepare": self.prepare,
            "disjoint": disjoint or PLURALS[self.kind],
        }
        if self.values is None:
            return Split(name, self.store, ids, names, **options)
        return TaskSplit(name, self.store, self.values[rows], ids, names, **options)


def divide(
    pool: Pool | dict[str, Pool],
    split: ClassSplit | None = None,
    *,
    seed: int = 0,
    disjoint: str | None = None,
    per_class: int | None = None,
) -> Source:
    """Shares a pool out among meta-train, meta-val and meta-test.

    Args:
        pool: The examples; or those of each part by its name, which stay in their part.
        split: Which classes or tasks are for which part, see `class_lists`; None for
            the data set's own parts, and if it has none for the fractions 0.64, 0.16,
            0.2.
        seed: Another seed takes other classes where `split` is fractions.
        disjoint: What no two parts share: None for classes, or tasks if there are
            values; or "examples", so that every part has all classes, and `split` is
            fractions of the examples of each. With a fraction of 0 for test, a data set
            that has a test part keeps it, and the fractions divide the rest.
        per_class: How many examples of each class or task the train part keeps, drawn
            by `seed`; None for all. The other parts keep all of theirs.

    Returns:
        The source.

    Raises:
        ValueError: If `split` or `disjoint` does not fit the pool, or if a class has
            fewer than `per_class` examples in the train part.
    """
    pools = _with_defaults(pool if isinstance(pool, dict) else {"": pool})
    if isinstance(pool, dict):
        parts = _as_given(pools, split, disjoint)
    else:
        parts = _divided(pools[""], split, seed=seed, disjoint=disjoint)
    if per_class is not None:
        parts["train"] = few(parts["train"], per_class, seed)
    return Source(next(iter(pools.values())).name, **parts)


def _divided(
    pool: Pool, split: ClassSplit | None, *, seed: int, disjoint: str | None
) -> dict[str, Any]:
    """The parts of an undivided pool; the arguments are those of `divide`."""
    _check_disjoint(pool, disjoint)
    if disjoint == EXAMPLES:
        chosen = _examples_of(pool, split, seed)
        parts = {}
        for place, part in enumerate(PARTS):
            examples = chosen == place
            # A part whose fraction is 0 has no classes, as if classes were divided.
            none = None if examples.any() else np.zeros(0, np.int64)
            parts[part] = pool.part(
                part, groups=none, examples=examples, disjoint=EXAMPLES
            )
        return parts
    lists = _own_lists(pool, seed) if split is None else split
    taken = class_parts(lists, list(pool.names), seed=seed, kind=pool.kind)
    return {part: pool.part(part, groups=ids) for part, ids in taken.items()}


def _with_defaults(pools: dict[str, Pool]) -> dict[str, Pool]:
    """The same pools, whose texts all become numbers of words by one layer."""
    first = next(iter(pools.values()))
    if first.prepare is not None or not is_text(first.store.shape, first.store.dtype):
        return pools
    tokens = Tokens()
    return {n: dataclasses.replace(p, prepare=tokens) for n, p in pools.items()}


def _check_disjoint(pool: Pool, disjoint: str | None) -> None:
    whole = PLURALS[pool.kind]
    if disjoint not in (None, EXAMPLES, whole):
        raise ValueError(
            f"disjoint must be {whole} or {EXAMPLES} for {pool.name!r}. Received: "
            f"{disjoint!r}."
        )


def _as_given(
    pools: dict[str, Pool], split: ClassSplit | None, disjoint: str | None
) -> dict[str, Any]:
    """Three parts as they were given."""
    first = pools[PARTS[0]]
    if split is not None:
        raise ValueError(
            f"split must be None where {first.name!r} is given as {', '.join(pools)} "
            f"already. Received: {split!r}. Leave out split."
        )
    _check_disjoint(first, disjoint)
    if disjoint == EXAMPLES and any(p.names != first.names for p in pools.values()):
        sizes = ", ".join(f"{len(p.names)} in {part!r}" for part, p in pools.items())
        raise ValueError(
            f"Parts that share their {PLURALS[first.kind]} must have examples of each. "
            f"Received: {sizes}, which are not the same ones. Give examples of all "
            "to each part; or bring undivided examples, and set split to fractions."
        )
    return {name: pool.part(name, disjoint=disjoint) for name, pool in pools.items()}


def _own_lists(pool: Pool, seed: int) -> dict[str, list[str]] | None:
    """The groups of the data set's own parts; None if its parts share some."""
    if pool.parts is None:
        return None
    held = {
        part: sorted({pool.names[i] for i in np.unique(pool.groups[pool.parts == n])})
        for n, part in enumerate(PARTS)
    }
    if not held["train"] or sum(map(len, held.values())) > len(pool.names):
        return None
    if sum(map(bool, held.values())) < 2:
        return None
    for part in PARTS[1:]:
        if not held[part]:
            entries = _entries(held["train"])
            drawn = class_parts(_LACKING, entries, seed=seed, kind=pool.kind)
            held["train"] = [entries[i] for i in drawn["train"]]
            held[part] = [entries[i] for i in drawn["val"]]
    return held


def _entries(names: list[str]) -> list[str]:
    """What is drawn together: what stands before the slash of all names, or each."""
    if all("/" in name for name in names):
        return sorted({name.rsplit("/", 1)[0] for name in names})
    return names


def _examples_of(pool: Pool, split: ClassSplit | None, seed: int) -> np.ndarray:
    """The part of each example, `(examples,)`, if parts share no example."""
    parts, fractions = pool.parts, fractions_of(FRACTIONS if split is None else split)
    keeps = split is None or (fractions is not None and not fractions[2])
    if keeps and parts is not None and np.all(np.isin([0, 2], parts)):
        _check_everywhere(pool, parts)
        if split is None and np.any(parts == 1):
            return parts
        taken = _LACKING if split is None else fractions
        return np.where(parts == 2, 2, _stratified(pool, taken, seed, parts != 2))
    if fractions is None:
        raise ValueError(
            "split must be three fractions where the parts share no example but have "
            f"all classes. Received: {split!r}."
        )
    return _stratified(pool, fractions, seed, np.ones(len(pool.groups), bool))


def _stratified(
    pool: Pool, fractions: Any, seed: int, chosen: np.ndarray
) -> np.ndarray:
    """Shares the chosen examples of each group out, `(examples,)` places in PARTS."""
    parts = np.full(len(pool.groups), -1, np.int8)
    order = np.argsort(pool.groups, kind="stable")
    order = order[chosen[order]]
    ends = np.searchsorted(pool.groups[order], np.arange(len(pool.names) + 1))
    for group in range(len(pool.names)):
        members = order[ends[group] : ends[group + 1]]
        what = f"examples of the {pool.kind} {pool.names[group]!r}"
        sizes = shares(np.asarray(fractions), len(members), what)
        mixed = np.random.default_rng([seed, group]).permutation(members)
        parts[mixed] = np.repeat(np.arange(3, dtype=np.int8), sizes)
    return parts


def _check_everywhere(pool: Pool, parts: np.ndarray) -> None:
    """Raises unless each part that has examples has some of every group."""
    for place in np.unique(parts):
        part = PARTS[place]
        held = np.bincount(pool.groups[parts == place], minlength=len(pool.names))
        if not held.all():
            raise ValueError(
                f"Parts that share their {PLURALS[pool.kind]} must have examples of "
                f"each, but {part!r} of {pool.name!r} has none of "
                f"{pool.names[int(np.argmin(held))]!r}. Set split to fractions."
            )
