"""Which classes are for meta-training, meta-validation and meta-test."""

from __future__ import annotations

import importlib.resources
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tfmeta.data.sampling.groups import PLURALS

PARTS = ("train", "val", "test")
FRACTIONS = (0.64, 0.16, 0.2)
NAMED_LISTS = ("cifar_fs", "fc100", "newsgroups", "vinyals")

ClassSplit: TypeAlias = str | Sequence[float] | Mapping[str, Sequence[str | int]]


def class_lists(name: str) -> dict[str, tuple[str, ...]]:
    """Reads class lists by name or from a JSON file.

    The file is an object with the keys "train", "val" and "test" (one may be absent),
    each a list of names. A name is a class, or what stands before the slash of
    several classes ("Korean" for "Korean/character01" and the others).

    Args:
        name: "vinyals" (Omniglot, 1028/172/423 characters), "cifar_fs" (CIFAR-100,
            64/16/20 classes), "fc100" (CIFAR-100, 60/20/20 classes by superclass),
            "newsgroups" (20 Newsgroups, 8/5/7 classes by topic), or the path of a JSON
            file.

    Returns:
        The lists under "train", "val" and "test".

    Raises:
        ValueError: Where there is no such list, or the file has another form.

    Example:
        >>> {part: len(names) for part, names in class_lists("cifar_fs").items()}
        {'train': 64, 'val': 16, 'test': 20}

    Reference:
        Omniglot: Vinyals et al., "Matching Networks for One Shot Learning", NIPS
        2016. CIFAR-FS: Bertinetto et al., "Meta-learning with differentiable
        closed-form solvers", ICLR 2019. FC100: Oreshkin et al., "TADAM", NeurIPS 2018.
        20 Newsgroups: Bao et al., "Few-shot Text Classification with Distributional
        Signatures", ICLR 2020.
    """
    if name in NAMED_LISTS:
        folder = importlib.resources.files("tfmeta.data.sources") / "class_lists"
        text = (folder / f"{name}.json").read_text(encoding="utf-8")
    else:
        try:
            text = pathlib.Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                "split must be three fractions such as '0.64,0.16,0.2', one of "
                f"{', '.join(NAMED_LISTS)}, or the path of a JSON file. Received: "
                f"{name!r}, which cannot be read as a file."
            ) from error
    try:
        return _checked_lists(json.loads(text))
    except ValueError as error:
        raise ValueError(
            f"The class lists in {name!r} must be a JSON object with lists of class "
            f"names under 'train', 'val' and 'test'. {error}"
        ) from error


def class_parts(
    split: ClassSplit | None,
    class_names: Sequence[str],
    *,
    seed: int = 0,
    kind: str = "class",
) -> dict[str, np.ndarray]:
    """Assigns classes, or tasks, to the three splits.

    Args:
        split: Three fractions of the classes, as numbers or "0.64,0.16,0.2"; or lists
            of names under "train", "val", "test"; or what `class_lists` reads; None
            for 0.64, 0.16, 0.2. Classes on no list are left out.
        class_names: The names of all classes.
        seed: Another seed takes other classes where `split` are fractions.
        kind: Errors call what is shared out by this word, "class" or "task".

    Returns:
        Sorted class ids under "train", "val" and "test", disjoint.

    Raises:
        ValueError: Where a name is unknown or in two lists, or fractions do not sum
            to 1 or leave a split without a class.

    Example:
        >>> class_parts({"train": ["b"], "test": ["a"]}, ["a", "b"])["test"]
        array([0])
    """
    if split is None:
        split = FRACTIONS
    if isinstance(split, str):
        fractions = _fractions_in(split)
        split = class_lists(split) if fractions is None else fractions
    if isinstance(split, Mapping):
        split = {part: _texts(names) for part, names in split.items()}
        return _listed(_checked_lists(split), list(class_names), kind)
    what = PLURALS[kind]
    shared = f'Or set disjoint="examples", so that every part has all {what}.'
    sizes = shares(_checked_fractions(split), len(class_names), what, instead=shared)
    order = np.random.default_rng(seed).permutation(len(class_names))
    pieces = np.split(order, np.cumsum(sizes)[:-1])
    return {part: np.sort(ids) for part, ids in zip(PARTS, pieces, strict=True)}


def _checked_lists(lists: Any) -> dict[str, tuple[str, ...]]:
    """Returns the lists of all three splits, an absent one empty."""
    if not isinstance(lists, Mapping) or not lists or set(lists) - set(PARTS):
        got = sorted(lists) if isinstance(lists, Mapping) else type(lists).__name__
        raise ValueError(
            "The lists of a split need the keys 'train', 'val' and 'test', and no "
            f"other. Received: {got}."
        )
    for part, names in lists.items():
        listed = isinstance(names, Sequence) and not isinstance(names, str)
        if not listed or not all(isinstance(name, str) for name in names):
            raise ValueError(f"The list {part!r} must be a list of names.")
    return {part: tuple(lists.get(part, ())) for part in PARTS}


def _listed(
    lists: Mapping[str, Sequence[str]], names: list[str], kind: str
) -> dict[str, np.ndarray]:
    """Looks names and groups of names up."""
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if "/" in name:
            groups.setdefault(name.rsplit("/", 1)[0], []).append(i)
    known = groups | {name: [i] for i, name in enumerate(names)}
    owner: dict[int, str] = {}
    for part, entries in lists.items():
        for entry in entries:
            if entry not in known:
                raise ValueError(
                    f"The {kind} list {part!r} names {entry!r}, which is none of the "
                    f"{len(names)} {PLURALS[kind]}: {_shortened(names)}. Correct the "
                    "list or load the data it was made for."
                )
            for i in known[entry]:
                if owner.setdefault(i, part) != part:
                    raise ValueError(
                        f"The {kind} {names[i]!r} is in the {kind} lists {owner[i]!r} "
                        f"and {part!r}, but splits must share no {kind}. Keep one."
                    )
    ids = {part: sorted(i for i, at in owner.items() if at == part) for part in PARTS}
    return {part: np.array(ids[part], np.int64) for part in PARTS}


def _texts(names: Any) -> Any:
    """Returns names as texts, since many are numbers; keeps what is no list."""
    if isinstance(names, (list, tuple, np.ndarray)):
        return [str(name) for name in names]
    return names


def _fractions_in(text: str) -> list[float] | None:
    """Returns the numbers in "0.64,0.16,0.2", None where it is no such list."""
    try:
        return [float(piece) for piece in text.split(",")]
    except ValueError:
        return None


def _checked_fractions(split: Sequence[float]) -> np.ndarray:
    try:
        fractions = np.array(split, np.float64)
    except (TypeError, ValueError):
        fractions = np.array([])
    fits = fractions.shape == (3,) and np.all(fractions >= 0)
    if not fits or abs(fractions.sum() - 1) > 1e-6:
        raise ValueError(
            "split must be three fractions (train, val, test) of at least 0 that sum "
            f"to 1, such as 0.64,0.16,0.2. Received: {split!r}."
        )
    return fractions


def fractions_of(split: ClassSplit) -> np.ndarray | None:
    """The three fractions that a `split` gives; None if it gives lists of names.

    Args:
        split: What `class_parts` takes.

    Returns:
        `(3,)` float64, which sum to 1; or None.

    Raises:
        ValueError: If there are fractions that do not sum to 1.
    """
    fractions = _fractions_in(split) if isinstance(split, str) else split
    if fractions is None or isinstance(fractions, Mapping):
        return None
    return _checked_fractions(fractions)


def shares(
    fractions: np.ndarray, total: int, what: str, *, instead: str = ""
) -> np.ndarray:
    """Shares a number of things out by largest remainder.

    Args:
        fractions: `(3,)` fractions that sum to 1.
        total: The number of things.
        what: The error calls the things by these words, such as "classes".
        instead: A sentence that the error ends with; "" for none.

    Returns:
        `(3,)` integers that sum to `total`, at least 1 where the fraction is above 0.

    Raises:
        ValueError: If there are fewer things than fractions above 0.
    """
    least = (fractions > 0).astype(np.int64)
    if least.sum() > total:
        advice = (
            f"Set split to fewer fractions above 0, or bring more {what}. {instead}"
        )
        raise ValueError(
            f"A division into {least.sum()} parts needs as many {what}, but there are "
            f"{total}. {advice.strip()}"
        )
    ideal = fractions * total
    sizes = np.maximum(np.floor(ideal + 1e-9).astype(np.int64), least)
    while sizes.sum() != total:
        missing = ideal - sizes
        if sizes.sum() < total:
            sizes[np.argmax(np.where(fractions > 0, missing, -np.inf))] += 1
        else:
            sizes[np.argmin(np.where(sizes > least, missing, np.inf))] -= 1
    return sizes


def _shortened(names: Sequence[str], shown: int = 5) -> str:
    """Returns the first names, and a sign where there are more."""
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
