"""The text of `--help`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from types import ModuleType

from absl import flags

from tfmeta.apps import console

FLAGS = flags.FLAGS
_HOME = "tfmeta.apps"
_REPEATED = ";\n    repeat this option"  # What absl adds to help.


def of(module: ModuleType, program: str, *, every: bool = False) -> str:
    """What an app does, then its flags: general ones first, then those of the parts.

    Args:
        module: The app.
        program: The program's name, as it was called.
        every: Whether to list the flags of all parts, and not only of those named.

    Returns:
        The text.
    """
    name = module.__name__.rpartition(".")[2]
    doc = (module.__doc__ or "").strip()
    doc = doc.replace(f"tfmeta {name}", console.command(name))
    lines = [doc, ""]
    by_module = FLAGS.flags_by_module_dict()
    for home, title in (
        (module.__name__, "This app's flags"),
        (f"{_HOME}.flags.parts", "Data, method and net"),
        (f"{_HOME}.flags.episodes", "Episodes"),
        (f"{_HOME}.flags.training", "The training"),
        (f"{_HOME}.scoring", "What is scored"),
        (f"{_HOME}.flags.protocol", "A published test"),
        (f"{_HOME}.runs", "The run, and where data lie"),
        (f"{_HOME}.command_line", "Output"),
    ):
        own = by_module.get(home, [])
        if home.endswith(".parts"):
            own = [FLAGS[kind.flag] for kind in module.PARTS.kinds]
        lines += _section(title, own)
    for title, own in module.PARTS.groups(every=every):
        lines += _section(f"With {title}", own)
    lines.append("--flagfile=FILE reads flags from a file, one a line.")
    if not every:
        lines.append("--helpfull lists the flags of all methods, nets and rules too.")
    return "\n".join(lines) + "\n"


def _section(title: str, own: Iterable[flags.Flag]) -> list[str]:
    described = [_describe(flag) for flag in own]
    return [f"{title}:", *described, ""] if described else []


def _describe(flag: flags.Flag) -> str:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    told = (flag.help or "").partition(_REPEATED)[0].strip()
    text = _in_flags(told, optional=flag.default is None)
    if isinstance(flag, flags.EnumFlag):
        choices = "|".join(flag.parser.enum_values)
        name, text = f"{name}={choices}", text.removeprefix(f"<{choices}>: ")
    if flag.default not in (None, []):
        text += f" Default: {_written(flag)}."
    text = textwrap.fill(
        text, width=80, initial_indent=" " * 6, subsequent_indent=" " * 6
    )
    return f"  {name}\n{text}"


def _written(flag: flags.Flag) -> str:
    """A flag's default as a command line writes it."""
    if isinstance(flag.default, list | tuple):
        return ",".join(map(str, flag.default))
    return str(flag.default_as_str).strip("'")


def _in_flags(text: str, *, optional: bool) -> str:
    """The help of an argument, in flags; None is what leaving the flag out says."""

    def name(match: re.Match[str]) -> str:
        return f"--{match[1]}" if match[1] in FLAGS else match[1]

    text = re.sub(r"`([^`]+)`", name, text)
    left_out = "Left out: " if optional else "None for "
    text = re.sub(r"(?<=[.] )None for ", left_out, text)
    text = re.sub(r"\bNone for ", left_out[0].lower() + left_out[1:], text)
    text = re.sub(r"\bNone is\b", "Left out, it is", text)
    return text[:1].upper() + text[1:]
