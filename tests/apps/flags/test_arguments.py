"""Flags from signatures: which arguments, which type, which help."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest
from absl import flags

from tfmeta.apps.flags.arguments import REQUIRED, arguments_of
from tfmeta.learners import MAML


class Sample:
    """A class with arguments of all kinds.

    Its idea takes a paragraph: Args may be a word in it.

    Args:
        net: A net, which is no flag.
        rate: A number
            on two lines; 3: three.
        *rest: Ignored.
        names (list): Words.

    Raises:
        ValueError: never.
    """

    def __init__(
        self,
        net: Sample,
        rate: float,
        *rest: int,
        count: int = 3,
        size: int | None = None,
        batch: int | None = 10,
        on: bool = False,
        kind: Literal["a", "b"] = "a",
        names: Sequence[str] = (),
        only: str | Sequence[str] | Callable[[str], bool] | None = None,
        sizes: tuple[int, ...] = (4, 5),
        one_or_more: int | Sequence[int] = 1,
        split: str | Sequence[float] | Mapping[str, Any] | None = None,
        folder: str | pathlib.Path = ".",
        function: Callable[..., int] | None = None,
        anything: Any = None,
        bare=0.5,
        bare_sizes=(3, 4),
        **kwargs: Any,
    ):
        pass


READ = {
    ("rate", "2.5"): 2.5,
    ("count", "7"): 7,
    ("size", "8"): 8,
    ("batch", "none"): None,
    ("batch", "4"): 4,
    ("on", "true"): True,
    ("kind", "b"): "b",
    ("names", "x, y"): ["x", "y"],
    ("names", "x"): ["x"],
    ("names", ""): [],
    ("only", "head"): "head",
    ("only", "head,block1"): ["head", "block1"],
    ("sizes", "1,2,3"): [1, 2, 3],
    ("one_or_more", "5"): 5,
    ("one_or_more", "5,6"): [5, 6],
    ("split", "0.6,0.4"): "0.6,0.4",
    ("folder", "a/b"): "a/b",
    ("bare", "0.25"): 0.25,
    ("bare_sizes", "5,6"): [5, 6],
}


@pytest.mark.parametrize(("name", "text"), READ)
def test_text_becomes_the_annotated_type(name: str, text: str) -> None:
    arguments = {each.name: each for each in arguments_of(Sample)}
    assert arguments[name].parser.parse(text) == READ[name, text]


def test_what_no_text_can_say_is_no_flag() -> None:
    names = {name for name, _ in READ}
    assert {each.name for each in arguments_of(Sample)} == names
    assert "rate" not in {a.name for a in arguments_of(Sample, without=["rate"])}


def test_defaults_and_meanings_are_the_constructors() -> None:
    arguments = {each.name: each for each in arguments_of(Sample)}
    assert arguments["rate"].default is REQUIRED and arguments["count"].default == 3
    assert arguments["rate"].meaning == "A number on two lines; 3: three."
    assert arguments["names"].meaning == "Words."
    assert arguments["count"].meaning == ""


@pytest.mark.parametrize(
    ("name", "text"), [("kind", "c"), ("count", "x"), ("batch", "x"), ("sizes", "1,x")]
)
def test_text_of_another_type_is_refused(name: str, text: str) -> None:
    arguments = {each.name: each for each in arguments_of(Sample)}
    with pytest.raises((ValueError, flags.IllegalFlagValueError)):
        arguments[name].parser.parse(text)


def test_an_annotation_that_is_not_there_costs_its_own_flag_alone() -> None:
    def function(one: int = 1, two: NotImported | None = None):  # noqa: F821
        """Has a name that only type checkers import."""

    assert [each.name for each in arguments_of(function)] == ["one"]


def test_a_partial_has_the_arguments_of_what_it_calls() -> None:
    whole = {each.name: each for each in arguments_of(Sample)}
    partial = functools.partial(Sample, count=5)
    arguments = {each.name: each for each in arguments_of(partial)}
    assert arguments.keys() == whole.keys() and arguments["count"].default == 5
    assert arguments["rate"].meaning == whole["rate"].meaning
    assert arguments["size"].parser.parse("8") == 8


def test_an_argument_of_a_path_alone_gets_a_path() -> None:
    def function(
        place: pathlib.Path = pathlib.Path("a/b"),
        other: pathlib.Path | None = None,
        text: str | pathlib.Path = "c",
    ):
        """Takes paths."""

    place, other, text = arguments_of(function)
    assert (place.default, other.default, text.default) == ("a/b", None, "c")
    assert place.taken("d") == other.taken("d") == pathlib.Path("d")
    assert (text.taken("d"), other.taken(None)) == ("d", None)


def test_mamls_arguments() -> None:
    arguments = {each.name: each for each in arguments_of(MAML, without=["net"])}
    assert list(arguments) == [
        "inner_steps",
        "inner_lr",
        "eval_steps",
        "first_order",
        "adapt_only",
        "head",
        "normalisation",
    ]
    assert all(each.meaning for each in arguments.values())
