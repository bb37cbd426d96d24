"""Ways and shots that are numbers or ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmeta.data.sampling.row_sampler import RowSampler
from tfmeta.data.sampling.sampler import Range, Sampler
from tfmeta.data.sampling.variable_sampler import VariableSampler


def bounds(name: str, value: Any) -> tuple[int, int]:
    """Reads a number or an inclusive range of numbers.

    Args:
        name: The error calls the number by this name.
        value: An integer, or two of them, the lower one first.

    Returns:
        The lowest and the highest number.

    Raises:
        ValueError: If `value` is neither, or a number is below 1.

    Example:
        >>> bounds("shot", 5), bounds("shot", (1, 10))
        ((5, 5), (1, 10))
    """
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    for end in pair:
        if isinstance(end, bool) or not isinstance(end, (int, np.integer)):
            raise ValueError(f"{name} must be an integer. Received: {end!r}.")
        if end < 1:
            raise ValueError(f"{name} must be at least 1. Received: {end}.")
    if len(pair) != 2 or pair[0] > pair[1]:
        raise ValueError(
            f"A range of {name} is two numbers, the lower one first. Received: "
            f"{value!r}."
        )
    return pair


def in_ranges(
    largest: RowSampler,
    *,
    way: Range,
    shot: Range,
    query: int | None,
    unequal_shots: bool = False,
) -> Sampler:
    """Makes a sampler whose way and shot may be ranges.

    Args:
        largest: The sampler of episodes of the highest way and shot.
        way: The number of rows of an episode, or a range.
        shot: The number of support examples in a row, or a range.
        query: The number of query examples in a row; None for all that are left.
        unequal_shots: Whether each row draws its own shot; see `VariableSampler`.

    Returns:
        `largest` itself if nothing is a range, else a `VariableSampler`.

    Raises:
        ValueError: If `query` is None although way or shot is a range, or if
            `unequal_shots` is set although shot is no range.
    """
    ways, shots = bounds("way", way), bounds("shot", shot)
    if unequal_shots and shots[0] == shots[1]:
        raise ValueError(
            "unequal_shots needs a range of shots, such as shot=(1, 10). Received: "
            f"shot={shot}."
        )
    if ways[0] == ways[1] and shots[0] == shots[1]:
        return largest
    if query is None:
        raise ValueError(
            "query=None takes all that are left, so an episode has a single size. "
            f"Received: the ranges way={way} and shot={shot}. Give query a number."
        )
    return VariableSampler(
        largest, way=ways, shot=shots, query=query, unequal_shots=unequal_shots
    )
