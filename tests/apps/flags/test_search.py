"""What a search tries, as a command line says it."""

from __future__ import annotations

import pytest
from absl import flags

from tfmeta.apps.flags import search
from tfmeta.apps.flags.search import Searched, checked_search, read_search


@pytest.fixture
def values(monkeypatch) -> flags.FlagValues:
    found = flags.FlagValues()
    flags.DEFINE_float("rate", 0.1, "", lower_bound=0, flag_values=found)
    flags.DEFINE_integer("steps", 5, "", lower_bound=1, flag_values=found)
    flags.DEFINE_enum("mode", "a", ["a", "b"], "", flag_values=found)
    flags.DEFINE_float("clip", None, "", flag_values=found)
    flags.register_validator(
        "clip", lambda n: n is None or n > 1, "must be above 1", flag_values=found
    )
    monkeypatch.setattr(search, "FLAGS", found)
    return found


def test_the_three_forms() -> None:
    assert read_search(["--rate=log:1e-3:1", "mode=a, b", "steps=range:1:9"]) == [
        Searched("rate", low=1e-3, high=1.0, scale="log"),
        Searched("mode", ("a", "b")),
        Searched("steps", low=1.0, high=9.0, scale="range"),
    ]
    # A value may have a colon of its own, such as a range of ways, or one's own code.
    assert read_search(["way=5:20,5"])[0].values == ("5:20", "5")
    assert read_search(["net=my.nets:wide"])[0].values == ("my.nets:wide",)


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["rate"], "must be NAME=A,B,C"),
        (["=1"], "must be NAME=A,B,C"),
        (["mode=a,,b"], "must be NAME=A,B,C"),
        (["rate=log:1"], "must be NAME=A,B,C"),
        (["rate=log:0:1"], "with log both above 0"),
        (["rate=range:2:1"], "from a lower to a higher"),
        (["rate=range:1:inf"], "from a lower to a higher"),
        (["mode=a", "mode=b"], "--mode twice"),
    ],
)
def test_other_forms_are_refused(texts, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read_search(texts)


def test_ranges_of_whole_numbers_are_marked(values) -> None:
    rate, steps = checked_search(read_search(["rate=log:1e-3:1", "steps=range:1:9"]))
    assert (rate.whole, steps.whole) == (False, True)
    assert (rate.spelled(0.0123456789), steps.spelled(7)) == ("0.0123457", "7")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("rat=1,2", "a flag that there is not: --rat"),
        ("mode=a,c", "--mode a value that it refuses: 'c'"),
        ("rate=range:-1:1", "--rate a value that it refuses: '-1'"),
        ("steps=2.5,3", "--steps a value that it refuses: '2.5'"),
        ("steps=range:0:4", "--steps a value that it refuses: '0'"),
        ("clip=0.5,2", "--clip a value that it refuses: '0.5' .*must be above 1"),
    ],
)
def test_what_a_flag_refuses_is_told_before_any_work(values, text, match) -> None:
    with pytest.raises(ValueError, match=match):
        checked_search(read_search([text]))
