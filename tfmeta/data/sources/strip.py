"""What can be taken off a newsgroup post, so that its own words are left."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# A line that quotes, or that says who is quoted.
_QUOTES = re.compile(
    r"writes in|writes:|wrote:|says:|said:|^In article|^Quoted from|^\||^>"
)


def without_headers(text: str) -> str:
    r"""What follows the first empty line; "" if there is none.

    Args:
        text: A post.

    Example:
        >>> without_headers("From: ann\nSubject: owls\n\nThey hoot.")
        'They hoot.'
    """
    return text.partition("\n\n")[2]


def without_footers(text: str) -> str:
    r"""What stands before the last line that is empty or made of hyphens.

    White space at the ends of the text does not count. A text without such a line, or
    with nothing before it, stays as it is.

    Args:
        text: A post.

    Example:
        >>> without_footers("They hoot.\n--\nAnn, of the owl house")
        'They hoot.'
    """
    lines = text.strip().split("\n")
    ends = [i for i, line in enumerate(lines) if not line.strip().strip("-")]
    return "\n".join(lines[: ends[-1]]) if ends and ends[-1] > 0 else text


def without_quotes(text: str) -> str:
    r"""The lines that neither quote another post nor say who wrote it.

    A line is left out if it begins with ">", "|", "In article" or "Quoted from", or if
    it holds "writes:", "wrote:", "says:", "said:" or "writes in".

    Args:
        text: A post.

    Example:
        >>> without_quotes("Bo wrote:\n> Do owls sing?\nThey hoot.")
        'They hoot.'
    """
    return "\n".join(line for line in text.split("\n") if not _QUOTES.search(line))


# In the order in which they are taken off.
STRIPS: dict[str, Callable[[str], str]] = {
    "headers": without_headers,
    "footers": without_footers,
    "quotes": without_quotes,
}


def stripped(text: str, parts: Sequence[str]) -> str:
    """A post without some of its parts, as scikit-learn's `fetch_20newsgroups` has it.

    Args:
        text: The post.
        parts: Some of "headers", "footers" and "quotes", in any order.

    Returns:
        What is left, which may be empty.
    """
    for name, function in STRIPS.items():
        if name in parts:
            text = function(text)
    return text


def check_strip(parts: Sequence[str]) -> None:
    """Raises ValueError unless all parts are ones that `stripped` takes off."""
    unknown = sorted(set(parts) - STRIPS.keys())
    if unknown:
        raise ValueError(
            f"strip must be some of {', '.join(STRIPS)}. Received: "
            f"{', '.join(map(repr, unknown))}."
        )
