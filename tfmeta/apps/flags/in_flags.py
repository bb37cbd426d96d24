"""Sentences of the library, which name Python arguments, told in flags."""

from __future__ import annotations

import re

from absl import flags

from tfmeta.apps.flags.parts import Parts

FLAGS = flags.FLAGS
_SCORING = {"steps": "eval_steps"}  # Where there are no outer steps.
_CALL = re.compile(r"[A-Za-z_.]+\((?:[^()]|\([^()]*\))*\)")  # Python stays Python.
_GIVEN = re.compile(
    r"(?<![\w./(-])([a-z]\w*)=(\"[^\"]*\"|'[^']*'|\([^()]*\)|\[[^]]*\]|[\w./:-]*\w)"
)
_ADVISED = re.compile(
    r"\b((?:[Ll]ower|[Rr]aise|[Gg]ive|[Ss]et|[Cc]hange|[Ll]eave out) )"
    r"(\w+(?:, \w+)*(?:,? (?:and|or) \w+)?)"
)
_MUST = re.compile(r"((?:^|[.:] ))([a-z]\w*(?:(?:,| and| or) [a-z]\w*)*)(?= must )")
_IDENTIFIER = re.compile(r"(?<![\w./'\"`-])[a-z]+_\w+(?![\w.(/=])")


def in_flags(message: str, parts: Parts | None = None) -> str:
    """Turns the Python arguments in a sentence into flags.

    `way=20` becomes `--way=20` and `download=True` becomes `--download`. The names that
    an advice lists ("Lower shot or query"), or that a sentence begins with ("shot must
    be"), become flags too, and so do names with an underscore. Calls such as
    `MAML(net, first_order=True)` stay, and so does what is no flag of the app. Where
    the sentence is about the part 'val', the flags of validation are meant.

    Args:
        message: The sentence.
        parts: The parts whose arguments have flags.

    Returns:
        The sentence for the command line.
    """

    def flag_of(argument: str) -> str | None:
        own = None if parts is None else parts.flag_of(argument)
        validation = f"val_{argument}" if "'val'" in message else None
        names = (own, validation, argument, _SCORING.get(argument))
        return next((name for name in names if name and name in FLAGS), None)

    def given(match: re.Match[str]) -> str:
        flag = flag_of(match[1])
        return match[0] if flag is None else f"--{_assigned(flag, match[2])}"

    def named(match: re.Match[str]) -> str:
        flag = flag_of(match[0])
        return match[0] if flag is None else f"--{flag}"

    def advised(match: re.Match[str]) -> str:
        return match[1] + re.sub(r"\w+", named, match[2])

    told, end = [], 0
    for call in [*_CALL.finditer(message), None]:
        text = message[end : call.start()] if call else message[end:]
        text = _ADVISED.sub(advised, _GIVEN.sub(given, text))
        text = _MUST.sub(advised, text)
        told.append(_IDENTIFIER.sub(named, text))
        if call:
            told.append(call[0])
            end = call.end()
    return "".join(told).replace("another run folder", "another --run_dir")


def _assigned(flag: str, value: str) -> str:
    """A flag with its value, as a command line writes them."""
    if value in ("True", "False"):
        return flag if value == "True" else f"no{flag}"
    if value == "None":
        return flag
    if value[0] in "([":
        value = value[1:-1].replace(" ", "").rstrip(",")
    return f"{flag}={value.strip(chr(34) + chr(39))}"
