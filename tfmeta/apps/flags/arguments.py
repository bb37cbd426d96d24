"""Reads from a constructor which arguments can be flags, of which type, and why."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import pathlib
import re
import types
import typing
from collections.abc import Callable, Collection, Sequence
from typing import Any

from absl import flags

REQUIRED: Any = inspect.Parameter.empty
_SECTION = re.compile(r"^(Args|Arguments):\s*$", re.MULTILINE)
_ENTRY = re.compile(r"^(\*{0,2}\w+)(?: \([^)]*\))?: *(.*)$")


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a constructor that a flag can give.

    Attributes:
        name: The argument's name.
        parser: What reads the flag's text.
        default: The argument's default, a path as text; REQUIRED if it has none.
        meaning: The entry of the docstring's `Args`; "" if there is none.
        is_path: Whether the constructor takes paths as objects, and not as text.
    """

    name: str
    parser: flags.ArgumentParser
    default: Any
    meaning: str
    is_path: bool = False

    def taken(self, value: Any) -> Any:
        """The value that the constructor takes, of a flag's."""
        return pathlib.Path(value) if self.is_path and value is not None else value


class SeveralParser(flags.ArgumentParser):
    """Reads `a,b` as a list; text without a comma as one value, if one may stand alone.

    If none may stand alone, an empty text is the empty list.

    Args:
        each: The parser of a value.
        alone: Whether one value may stand in place of a list.
    """

    def __init__(self, each: flags.ArgumentParser, *, alone: bool):
        self.each, self.alone = each, alone
        self.syntactic_help = "a list, with commas between"

    def parse(self, argument: Any) -> Any:
        """Returns the list, or the one value."""
        if not isinstance(argument, str):
            return argument
        texts = argument.split(",") if argument or self.alone else []
        values = [self.each.parse(text.strip()) for text in texts]
        return values[0] if self.alone and len(values) == 1 else values

    def flag_type(self) -> str:
        """The name of the type, for error messages."""
        return "list"


class OrNoneParser(flags.ArgumentParser):
    """Reads `none` as None, and other text by another parser.

    Args:
        other: The parser of other text.
    """

    def __init__(self, other: flags.ArgumentParser):
        self.other = other
        self.syntactic_help = f"{other.syntactic_help}, or none"

    def parse(self, argument: Any) -> Any:
        """Returns the value, or None."""
        return None if argument == "none" else self.other.parse(argument)

    def flag_type(self) -> str:
        """The name of the type, for error messages."""
        return f"{self.other.flag_type()} or none"


class ChoiceParser(flags.EnumParser):
    """Reads one of several words."""


def arguments_of(
    constructor: Callable[..., Any], *, without: Collection[str] = ()
) -> list[Argument]:
    """The arguments of a class or function that flags can give.

    An argument is one if its annotation, or else its default, is a number, text, a
    truth value, one of several words (`Literal`), or a sequence of these.

    Args:
        constructor: A class or function.
        without: The names of arguments that are no flags.

    Returns:
        The arguments in the order of the signature.
    """
    hints, meanings = _hints(constructor), _meanings(constructor)
    found = []
    for name, parameter in signature_of(constructor).items():
        if name in without:
            continue
        hint = hints.get(name, _type_of(parameter.default))
        parser = _parser(hint)
        if parser is not None:
            # Where the default is None, leaving the flag out says None.
            if (
                types.NoneType in typing.get_args(hint)
                and parameter.default is not None
            ):
                parser = OrNoneParser(parser)
            default = parameter.default
            if isinstance(default, pathlib.PurePath):
                default = str(default)
            meaning = meanings.get(name, "")
            found.append(Argument(name, parser, default, meaning, _takes_paths(hint)))
    return found


def signature_of(constructor: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The named parameters of a class or function, without `*args` and `**kwargs`."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(constructor).parameters
    return {name: p for name, p in parameters.items() if p.kind not in several}


def _written(constructor: Callable[..., Any]) -> Callable[..., Any]:
    """The class or function that has the annotations and the docstring."""
    while isinstance(constructor, functools.partial):
        constructor = constructor.func
    return constructor


def _hints(constructor: Callable[..., Any]) -> dict[str, Any]:
    function: Any = _written(constructor)
    if isinstance(function, type):
        function = function.__init__  # type: ignore[misc]
    function = inspect.unwrap(function)
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):  # A name that only a type checker imports.
        return _each_hint(function)


def _each_hint(function: Any) -> dict[str, Any]:
    """The annotations that can be evaluated one by one."""
    hints = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        holder = types.SimpleNamespace(__annotations__={name: hint})
        try:
            found = typing.get_type_hints(holder, function.__globals__)
        except (NameError, TypeError):
            continue
        hints.update(found)
    return hints


def _type_of(default: Any) -> Any:
    if isinstance(default, list | tuple) and default:
        return Sequence[type(default[0])]  # type: ignore[misc]
    return None if default is REQUIRED else type(default)


def _parser(hint: Any) -> flags.ArgumentParser | None:
    """The parser of what an annotation names; None if no flag can give it."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _of_union([_parser(each) for each in inside])
    if origin is typing.Literal and all(isinstance(each, str) for each in inside):
        return ChoiceParser(list(inside))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        each = _parser(inside[0]) if inside else None
        return None if each is None else SeveralParser(each, alone=False)
    return _of_type(hint)


def _of_type(hint: Any) -> flags.ArgumentParser | None:
    if not isinstance(hint, type):
        return None
    if issubclass(hint, bool):
        return flags.BooleanParser()
    if issubclass(hint, int):
        return flags.IntegerParser()
    if issubclass(hint, float):
        return flags.FloatParser()
    # The root of all path classes has one abstract method.
    return flags.ArgumentParser() if issubclass(hint, str) or _is_path(hint) else None


def _takes_paths(hint: Any) -> bool:
    """Whether an annotation names paths and no text."""
    each = typing.get_args(hint) or (hint,)
    return str not in each and any(isinstance(t, type) and _is_path(t) for t in each)


def _is_path(hint: type) -> bool:
    return hasattr(hint, "__fspath__")


def _of_union(
    parsers: list[flags.ArgumentParser | None],
) -> flags.ArgumentParser | None:
    """One parser for several types: text before numbers, and lists of what is alone."""
    known = [parser for parser in parsers if parser is not None]
    lists = [parser for parser in known if isinstance(parser, SeveralParser)]
    alone = [parser for parser in known if not isinstance(parser, SeveralParser)]
    if not alone:
        return lists[0] if lists else None
    order = [ChoiceParser, flags.ArgumentParser, flags.FloatParser, flags.IntegerParser]
    alone.sort(key=lambda p: order.index(type(p)) if type(p) in order else len(order))
    first = alone[0]
    same = [parser for parser in lists if type(parser.each) is type(first)]
    return SeveralParser(first, alone=True) if same else first


def _meanings(constructor: Callable[..., Any]) -> dict[str, str]:
    """The entries of the section `Args` of a docstring, by the argument's name."""
    constructor = _written(constructor)
    texts = [inspect.getdoc(constructor) or ""]
    if isinstance(constructor, type):
        texts.append(inspect.getdoc(constructor.__init__) or "")  # type: ignore[misc]
    for text in texts:
        section = _SECTION.search(text)
        if section:
            return _entries(text[section.end() :].strip("\n").splitlines())
    return {}


def _entries(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    entry: list[str] = []
    indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if line.strip() and depth < indent:
            break
        matched = _ENTRY.match(line.strip()) if depth == indent else None
        if matched:
            entry = found.setdefault(matched[1].lstrip("*"), [])
            entry.append(matched[2])
        elif line.strip():
            entry.append(line.strip())
    return {name: " ".join(text).strip() for name, text in found.items()}
