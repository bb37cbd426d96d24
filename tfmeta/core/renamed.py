"""One sentence for a name that has been given up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def refuse_renamed(
    owner: str, given: Iterable[str], renamed: Mapping[str, str]
) -> None:
    """Refuses arguments that have another name now.

    Args:
        owner: The name of the class or function whose arguments they are.
        given: The names that were given.
        renamed: From each old name to what to write today.

    Raises:
        ValueError: If an old name was given; it says the new one.
    """
    for name in given:
        if name in renamed:
            raise ValueError(
                f"{owner} has no argument {name!r} any more: use {renamed[name]}."
            )


def renamed_arguments(**renamed: str) -> Callable[[Any], Any]:
    """Makes a function or class refuse the old names of its arguments.

    Args:
        **renamed: From each old name to what to write today.

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
