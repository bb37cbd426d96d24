"""What a search tries: the values of flags, as a command line says them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Sequence

from absl import flags

FLAGS = flags.FLAGS
_SCALES = ("log", "range")
_HELP = (
    "NAME=A,B,C for some values, NAME=range:LOW:HIGH or NAME=log:LOW:HIGH for numbers"
)


@dataclasses.dataclass(frozen=True)
class Searched:
    """A flag whose value is searched for.

    Attributes:
        flag: The flag's name.
        values: The texts to choose from; empty for numbers of a range.
        low: The lower end of the range.
        high: The upper end of the range.
        scale: "log" if all orders of magnitude are equally likely, "range" if all
            numbers are; "" if there are values to choose from.
        whole: Whether the numbers of the range are whole.
    """

    flag: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scale: str = ""
    whole: bool = False

    def spelled(self, value: object) -> str:
        """A value as the flag's text."""
        if self.scale and not self.whole:
            return f"{float(value):.6g}"  # type: ignore[arg-type]
        return str(value)


def read_search(texts: Sequence[str]) -> list[Searched]:
    """Reads what `--search` says, without a look at the flags that there are.

    Args:
        texts: Such as "inner_lr=log:1e-3:1" and "strided=true,false".

    Returns:
        The searched flags.

    Raises:
        ValueError: If a text is none of the three forms, a range is empty, or a flag
            is searched twice.

    Example:
        >>> lr, wide = read_search(["inner_lr=log:1e-3:1", "filters=32,64"])
        >>> lr.scale, lr.low, lr.high, wide.values
        ('log', 0.001, 1.0, ('32', '64'))
    """
    found = [_read(text) for text in texts]
    names = [each.flag for each in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"Each flag may be searched once. Received: --{twice[0]} twice. Give all "
            "its values together."
        )
    return found


def checked_search(found: Iterable[Searched]) -> list[Searched]:
    """Checks the values of a search by the flags that there are.

    Args:
        found: What `read_search` returned.

    Returns:
        The same, with ranges of whole numbers marked.

    Raises:
        ValueError: If there is no such flag, or it refuses a value.
    """
    checked = []
    for each in found:
        if each.flag not in FLAGS:
            raise ValueError(
                f"--search names a flag that there is not: --{each.flag}. The flags of "
                "tfmeta train can be searched; its --help lists them."
            )
        flag = FLAGS[each.flag]
        whole = bool(each.scale) and isinstance(flag.parser, flags.IntegerParser)
        each = dataclasses.replace(each, whole=whole)
        ends = (round(each.low), round(each.high)) if whole else (each.low, each.high)
        for value in each.values or map(each.spelled, ends):
            _check(flag, value)
        checked.append(each)
    return checked


def without_flags(
    argv: Sequence[str], names: Collection[str], switches: Collection[str] = ()
) -> list[str]:
    """Leaves some flags out of a command line.

    Args:
        argv: The flags, without the program's name.
        names: The names of flags that take a value.
        switches: The names of flags that are true or false.

    Returns:
        The other flags as they were said.

    Example:
        >>> without_flags(["--a=1", "--b", "2", "--nojson"], ["b"], ["json"])
        ['--a=1']
    """
    kept, takes_next = [], False
    for text in argv:
        if takes_next:
            takes_next = False
            continue
        name, equals, _ = text.lstrip("-").partition("=")
        if text.startswith("-") and name in names:
            takes_next = not equals
        elif not (text.startswith("-") and name.removeprefix("no") in switches):
            kept.append(text)
    return kept


def _check(flag: flags.Flag, value: str) -> None:
    try:
        parsed = flag.parser.parse(value)
        for validator in flag.validators:
            validator.verify(_Only(flag.name, parsed))
    except (ValueError, TypeError, flags.Error) as error:
        told = str(error).removeprefix("flag ")
        raise ValueError(
            f"--search gives --{flag.name} a value that it refuses: {value!r} ({told})."
        ) from error


class _Only(dict):
    """One flag's value, as a validator looks it up."""

    def __init__(self, name: str, value: object):
        super().__init__({name: self})
        self.value = value


def _read(text: str) -> Searched:
    name, equals, values = text.strip().partition("=")
    name = name.removeprefix("--")
    if not equals or not name or not values:
        raise ValueError(f"--search must be {_HELP}. Received: {text!r}.")
    scale, colon, ends = values.partition(":")
    if not colon or scale not in _SCALES:
        several = tuple(value.strip() for value in values.split(","))
        if "" in several:
            raise ValueError(f"--search must be {_HELP}. Received: {text!r}.")
        return Searched(name, several)
    try:
        low, high = (float(end) for end in ends.split(":"))
    except ValueError as error:
        raise ValueError(f"--search must be {_HELP}. Received: {text!r}.") from error
    if not (math.isfinite(high) and low < high) or (scale == "log" and low <= 0):
        raise ValueError(
            "--search needs a range from a lower to a higher number, with log both "
            f"above 0. Received: {text!r}."
        )
    return Searched(name, low=low, high=high, scale=scale)
