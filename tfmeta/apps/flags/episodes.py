"""The flags that say what an episode is made of."""

from __future__ import annotations

from typing import Any

from absl import flags

from tfmeta.core import Labels
from tfmeta.data import Part
from tfmeta.data.grouped_part import GroupedPart

FLAGS = flags.FLAGS
_QUERY = 15  # As in most papers.
_QUERY_HELP = f"per class. Left out: {_QUERY}, or what every class has left."


class RangeParser(flags.ArgumentParser):
    """Reads 5 as a number and 5:20 as the inclusive range [5, 20]."""

    syntactic_help = "a number, or a range such as 5:20"

    def parse(self, argument: Any) -> int | list[int]:
        """Returns the number, or the two ends."""
        ends = [int(end) for end in str(argument).split(":") if end.isdecimal()]
        written = ":".join(map(str, ends))
        right = written == str(argument) and 1 <= len(ends) <= 2
        if not right or not 1 <= ends[0] <= ends[-1]:
            raise ValueError(f"must be {self.syntactic_help}, from 1 on")
        return ends if len(ends) == 2 else ends[0]


def ends_of(value: int | list[int] | None) -> tuple[Any, Any]:
    """The lower and the upper end of a flag that may be a range."""
    return (value[0], value[1]) if isinstance(value, list) else (value, value)


def define_training_flags() -> None:
    """Defines the episodes of training and of validation."""
    drawn = ". Of a range such as {} each step draws one number."
    parser = RangeParser()
    flags.DEFINE(parser, "way", 5, "Classes in an episode" + drawn.format("5:20"))
    flags.DEFINE(parser, "shot", 1, "Support examples per class" + drawn.format("1:10"))
    flags.DEFINE_integer("query", None, f"Training queries {_QUERY_HELP}", 1)
    flags.DEFINE_bool(
        "unequal_shots",
        False,
        "Let each class of a training episode draw its own shot from the range --shot.",
    )
    flags.DEFINE_integer(
        "val_way",
        None,
        "Classes in a validation episode. Left out: --way, or its lower end.",
        1,
    )
    flags.DEFINE_integer(
        "val_shot",
        None,
        "Support examples per class in a validation episode. Left out: --shot, or its "
        "lower end.",
        1,
    )
    flags.DEFINE_integer(
        "val_query", None, f"Queries of a validation episode {_QUERY_HELP}", 1
    )
    flags.DEFINE_integer("val_episodes", 200, "The number of validation episodes.", 2)


def define_scored_flags() -> None:
    """Defines the episodes that a model is scored on."""
    left_out = "Left out: as in the run's validation"
    flags.DEFINE_integer("way", None, f"Classes in an episode. {left_out}, or 5.", 1)
    flags.DEFINE_integer(
        "shot", None, f"Support examples per class. {left_out}, or 1.", 1
    )
    flags.DEFINE_integer("query", None, f"Queries {_QUERY_HELP}", 1)


def query_for(part: Part, shot: int | None, asked: int | None) -> int:
    """The number of queries per class.

    Args:
        part: The part that episodes are drawn from.
        shot: The largest number of support examples per class.
        asked: The number that a flag asks for; None if there is none.

    Returns:
        What was asked for; else 15, or what is left of the smallest class after the
        support examples, if that is fewer.
    """
    if asked is not None:
        return asked
    if not isinstance(part, GroupedPart):
        return _QUERY
    smallest = int(part.counts.min())
    return max(1, min(_QUERY, smallest - (shot or 1)))


def way_for(part: Part, asked: Any, default: int | None) -> Any:
    """The way that is asked for, or a default where tasks have classes."""
    if asked is not None:
        return asked
    return default if isinstance(part.targets, Labels) else None
