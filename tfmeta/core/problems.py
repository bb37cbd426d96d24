"""Faults of a net, gathered so that one error names all of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """Something that keeps a net from being used as it is asked for.

    Attributes:
        fault: What is wrong, as it follows the net in a sentence: "has random layers".
        cures: What the caller may do to the net, each an imperative; all are needed.
        instead: What the caller may do in place of that; empty if there is nothing.
    """

    fault: str
    cures: tuple[str, ...]
    instead: str = ""


def refuse(net: str, problems: Sequence[Problem]) -> None:
    """Raises one error for all problems of a net.

    Args:
        net: The name of the net.
        problems: The problems; there may be none.

    Raises:
        ValueError: If there is a problem; the error names each with its remedies.
    """
    if not problems:
        return
    faults = "; it ".join(problem.fault for problem in problems)
    remedies = [
        f"{c[0].upper()}{c[1:]}." for c in _each(c for p in problems for c in p.cures)
    ]
    if all(problem.instead for problem in problems):
        others = " and ".join(_each(problem.instead for problem in problems))
        remedies.append(f"Or leave the net as it is, and {others}.")
    raise ValueError(f"The net {net!r} {faults}. {' '.join(remedies)}")


def _each(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def listed(names: Iterable[str], most: int = 3) -> str:
    """Names the first few, and counts the others.

    Args:
        names: What to name.
        most: The largest number of names.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def kind_of(given: Any) -> str:
    """What something is that was given in place of an object, for an error.

    Args:
        given: Anything.

    Example:
        >>> kind_of(3), kind_of(int), kind_of(len)
        ('int', 'the class int', 'the function len')
    """
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if inspect.isroutine(given):
        return f"the function {given.__name__}"
    return type(given).__name__
