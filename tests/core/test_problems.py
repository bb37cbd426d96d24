"""One error for all that is wrong with a net."""

from __future__ import annotations

import pytest

from tfmeta.core.problems import Problem, listed, refuse

RED = Problem("is red", ("paint it", "hush it"), "look away")
LOUD = Problem("is loud", ("hush it",), "leave")
LATE = Problem("is late", ("hush it",))


@pytest.mark.parametrize(
    ("problems", "text"),
    [
        (
            [RED],
            "The net 'n' is red. Paint it. Hush it. Or leave the net as it is, and "
            "look away.",
        ),
        (
            [RED, LOUD],
            "The net 'n' is red; it is loud. Paint it. Hush it. Or leave the net as it "
            "is, and look away and leave.",
        ),
        ([LOUD, LATE], "The net 'n' is loud; it is late. Hush it."),
    ],
)
def test_all_problems_are_in_one_error(problems, text: str) -> None:
    with pytest.raises(ValueError) as error:
        refuse("n", problems)
    assert str(error.value) == text


def test_no_problem_is_no_error() -> None:
    refuse("n", [])


def test_long_lists_are_counted() -> None:
    assert listed("abc") == "a, b, c"
    assert listed("abcd") == "a, b, c and 1 more"
