"""The parts that a command line names, with flags for what they can be told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from tfmeta.apps.flags.arguments import REQUIRED, Argument
from tfmeta.apps.flags.kinds import (
    AUGMENT,
    DATASET,
    LEARNER,
    NET,
    OBJECTIVE,
    RULE,
    Kind,
)

FLAGS = flags.FLAGS
KINDS = {kind.flag: kind for kind in (DATASET, LEARNER, NET, RULE, AUGMENT, OBJECTIVE)}


@dataclasses.dataclass(frozen=True)
class Owned:
    """An argument of a part, which a flag gives."""

    kind: Kind
    part: str
    argument: Argument

    @property
    def plain(self) -> str:
        """The flag's name where no other flag has that name."""
        return self.kind.renamed.get(self.argument.name, self.argument.name)

    @property
    def dotted(self) -> str:
        """The flag's name where the plain one is taken."""
        return f"{self.kind.flag}.{self.argument.name}"

    def is_spelled(self, flag: str) -> bool:
        """Whether a flag of a command line is this one."""
        names = {self.plain, self.dotted}
        if isinstance(self.argument.parser, flags.BooleanParser):
            names |= {f"no{name}" for name in names}
        return flag in names


class Parts:
    """The kinds of parts that an app takes, and the flags of those that were named.

    Which flags there are depends on what the command line names: `--learner=maml` has
    the flags of MAML's constructor. So an app first defines the flags that name parts,
    then those of the named parts, and then it reads the command line.

    Args:
        *kinds: The flags that name parts, such as "learner".
        own: The arguments for which the app has flags of its own of the same meaning.
        of_run: Whether a run that the command line names also names the parts.
        several: A function of the command line that finds the kinds of which several
            parts are meant, with the names of these; None if there are no such kinds.

    Attributes:
        argv: The command line, with the contents of flag files in their places.
        unused: The flags of parts that might have been meant, and were not.
    """

    def __init__(
        self,
        *kinds: str,
        own: Sequence[str] = (),
        of_run: bool = False,
        several: Callable[[Sequence[str]], dict[str, tuple[str, ...]]] | None = None,
    ):
        self.kinds = [KINDS[kind] for kind in kinds]
        self.own, self.of_run, self._several = frozenset(own), of_run, several
        self.argv: list[str] = []
        self.unused: set[str] = set()
        self._flags: dict[str, list[Owned]] = {}
        self._named: dict[str, tuple[str, ...]] = {}

    def define_names(self) -> None:
        """Defines the flags that name parts."""
        for kind in self.kinds:
            default = kind.default[0] if len(kind.default) == 1 else None
            known = f" One of: {', '.join(sorted(kind.known))}." if kind.known else ""
            flags.DEFINE_string(
                kind.flag,
                default,
                f"{kind.help}.{known} Or package.module:name, a class or function of "
                "your own.",
            )

    def define(
        self, argv: Sequence[str], recorded: Mapping[str, Any] | None = None
    ) -> None:
        """Defines the flags of the parts that a command line names.

        Args:
            argv: The command line, with the contents of flag files in their places.
            recorded: The flags of a run, which names the parts that the command line
                does not.

        Raises:
            ValueError: If there is no part of a name.
        """
        self.argv = list(argv)
        said = values_in(argv, [kind.flag for kind in self.kinds])
        several = {} if self._several is None else self._several(argv)
        for kind in self.kinds:
            name = said.get(kind.flag) or (recorded or {}).get(kind.flag)
            one = (name,) if name else kind.default
            self._named[kind.flag] = several.get(kind.flag, one)
        owned = [each for kind in self.kinds for each in self._owned(kind)]
        kinds: dict[str, set[str]] = {}
        for each in owned:
            kinds.setdefault(each.plain, set()).add(each.kind.flag)
        taken = {name for name in kinds if name in FLAGS or len(kinds[name]) > 1}
        for each in owned:
            name = each.dotted if each.plain in taken else each.plain
            if name not in self._flags:
                _define(name, each.argument, FLAGS)
            self._flags.setdefault(name, []).append(each)

    def settle(self, kind: str, name: str) -> None:
        """Chooses one of several parts that may have been meant.

        Args:
            kind: The flag that was left out.
            name: The part that the data ask for.

        Raises:
            ValueError: If flags were given that the part does not have.
        """
        self._named[kind] = (name,)
        for flag, owners in self._flags.items():
            theirs = [each for each in owners if each.kind.flag == kind]
            if theirs and not any(each.part == name for each in theirs):
                if FLAGS[flag].present:
                    raise ValueError(self._refusal(flag, theirs))
                self.unused.add(flag)

    def name(self, kind: str) -> str | None:
        """The name of the part of a kind; None if none is named, or several may be."""
        names = self._named[kind]
        return names[0] if len(names) == 1 else None

    def said(self, kind: str) -> dict[str, Any]:
        """The arguments of the named part that flags were given for."""
        part = self.name(kind)
        return {
            each.argument.name: FLAGS[flag].value
            for flag, owners in self._flags.items()
            for each in owners
            if (each.kind.flag, each.part) == (kind, part) and FLAGS[flag].present
        }

    def given(self) -> set[str]:
        """The flags of parts that the command line gives."""
        return {flag for flag in self._flags if FLAGS[flag].present}

    def make(self, kind: str, **given: Any) -> Any:
        """Makes the named part of a kind.

        Args:
            kind: The flag that names it.
            **given: What the app gives, see `Kind.make`.

        Returns:
            The part.

        Raises:
            ValueError: If the part cannot be made so.
        """
        return KINDS[kind].make(str(self.name(kind)), given, self.said(kind))

    def refusal(self, flag: str) -> str | None:
        """Why a flag is refused that the named parts do not have.

        Args:
            flag: The flag, as the command line spells it.

        Returns:
            A sentence with the parts that have the flag; None if no part has it.
        """
        for name, owners in self._flags.items():
            if any(each.dotted == flag for each in owners):
                return f"--{flag} is called --{name} here: no other part has that name."
        if shared := [name for name in self._flags if self._is_shared(name, flag)]:
            names = " or ".join(f"--{name}" for name in sorted(shared))
            return f"--{flag} is of more than one part here: write {names}."
        for kind in self.kinds:
            parts = sorted(kind.known) or kind.default
            owned = [each for part in parts for each in self._owned(kind, part)]
            owned = [each for each in owned if each.is_spelled(flag)]
            if owned:
                return self._refusal(flag, owned)
        return None

    def groups(self, *, every: bool = False) -> Iterator[tuple[str, list[flags.Flag]]]:
        """The flags by part, for help.

        Args:
            every: Whether to list all parts that there are, and not only the named.

        Yields:
            A heading, and the part's flags.
        """
        for kind in self.kinds:
            parts = self._named[kind.flag]
            if every:
                parts = (*parts, *sorted(set(kind.known) - set(parts)))
            for part in parts:
                shown = [self._flag(each) for each in self._owned(kind, part)]
                if shown:
                    yield f"--{kind.flag}={part}", shown

    def flag_of(self, argument: str) -> str | None:
        """The name of the flag that gives an argument; None if there is none."""
        for name, owners in self._flags.items():
            if any(each.argument.name == argument for each in owners):
                return name
        return None

    def owners_of(self, flag: str) -> tuple[str, tuple[str, ...]]:
        """The kind of parts that a flag belongs to, and the names of its owners.

        Args:
            flag: The flag's name.

        Returns:
            The flag that names such a part, and the parts; ("", ()) for a flag of the
            app's own.
        """
        owners = self._flags.get(flag, [])
        kind = owners[0].kind.flag if owners else ""
        return kind, tuple(dict.fromkeys(each.part for each in owners))

    def _flag(self, owned: Owned) -> flags.Flag:
        """The flag of an argument; made anew for a part that is not named."""
        for name, owners in self._flags.items():
            if owned in owners:
                return FLAGS[name]
        values = flags.FlagValues()
        others = self._flags.get(owned.plain, [owned])
        apps = owned.plain in FLAGS and owned.plain not in self._flags
        taken = apps or any(each.kind is not owned.kind for each in others)
        name = owned.dotted if taken else owned.plain
        _define(name, owned.argument, values)
        return values[name]

    def _owned(self, kind: Kind, *parts: str) -> list[Owned]:
        return [
            Owned(kind, part, argument)
            for part in parts or self._named[kind.flag]
            for argument in kind.arguments(part)
            if argument.name not in self.own
        ]

    def _is_shared(self, name: str, flag: str) -> bool:
        """Whether a defined flag is dotted since several parts have the plain name."""
        return any(
            name == each.dotted and each.is_spelled(flag) for each in self._flags[name]
        )

    def _refusal(self, flag: str, owned: Sequence[Owned]) -> str:
        kind = owned[0].kind
        parts = ", ".join(dict.fromkeys(each.part for each in owned))
        named = self.name(kind.flag)
        if named is None:
            return f"--{flag} is of {parts}: name that one by --{kind.flag}."
        return (
            f"--{flag} is of {parts}; --{kind.flag}={named} has no such setting. Leave "
            "it out."
        )


def recorded_arguments(kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a part, from the flags that a run has written down.

    Args:
        kind: The kind of part.
        values: The flags by name.

    Returns:
        The arguments by name. Left out are those that are not written down, and those
        without a default that no flag has given.
    """
    part = values[kind.flag]
    found = {}
    for owned in (Owned(kind, part, argument) for argument in kind.arguments(part)):
        written = [name for name in (owned.dotted, owned.plain) if name in values]
        value = values[written[0]] if written else REQUIRED
        missing = value is None and owned.argument.default is REQUIRED
        if value is not REQUIRED and not missing:
            found[owned.argument.name] = value
    return found


def values_in(argv: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The last values that a command line gives to flags of text."""
    found = {}
    for place, argument in enumerate(argv):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in names:
            after = argv[place + 1] if place + 1 < len(argv) else ""
            found[name] = value if equals else after
    return found


def _define(name: str, argument: Argument, values: flags.FlagValues) -> None:
    """Defines the flag of an argument."""
    default: Any = None if argument.default is REQUIRED else argument.default
    if isinstance(default, tuple):
        default = list(default)  # As JSON has it in a run's config.
    if isinstance(argument.parser, flags.BooleanParser):
        flags.DEFINE_bool(name, default, argument.meaning, values)
    elif isinstance(argument.parser, flags.EnumParser):
        choices = argument.parser.enum_values
        flags.DEFINE_enum(name, default, choices, argument.meaning, values)
    else:
        flags.DEFINE(argument.parser, name, default, argument.meaning, values)
