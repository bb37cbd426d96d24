"""Errors that name the replacement of a renamed argument."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def refuse_renamed(
    owner: str, given: Iterable[str], renamed: Mapping[str, str]
) -> None:
    """Refuses arguments that are given under an old name.

    Args:
        owner: The name of the class or function that takes the arguments.
        given: The names of the arguments that the caller gave.
        renamed: Maps each old name to its replacement.

    Raises:
        ValueError: If an old name was given; the error says the replacement.
    """
    for name in given:
        if name in renamed:
            raise ValueError(
                f"{owner} has no argument {name!r} any more: use {renamed[name]}."
            )


def renamed_arguments(**renamed: str) -> Callable[[Any], Any]:
    """Makes a function or class refuse the old names of its arguments.

    Args:
        **renamed: Maps each old name to its replacement.

    Returns:
        A decorator.

    Example:
        >>> @renamed_arguments(count="tasks")
        ... def double(tasks):
        ...     return 2 * tasks
        >>> double(tasks=2)
        4
    """

    def decorate(owner: Any) -> Any:
        inner: Any = owner
        if isinstance(owner, type):
            inner = owner.__init__  # type: ignore[misc]

        @functools.wraps(inner)
        def checked(*args: Any, **kwargs: Any) -> Any:
            refuse_renamed(owner.__name__, kwargs, renamed)
            return inner(*args, **kwargs)

        if not isinstance(owner, type):
            return checked
        owner.__init__ = checked  # type: ignore[misc]
        return owner

    return decorate
