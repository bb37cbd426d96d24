"""What the scripts say, and how they fail: one clear line, exit code 2."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from absl import app, flags, logging
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from tfmeta.json_files import to_json
from tfmeta.training.run.reporters import Reporter

SCREEN = Console()
INTERRUPTED = 130
_HELP = ("--help", "-help", "-h")
_MISSING = re.compile(r"flag --(\w+)=None: Flag --\w+ must have a value other .*")
_SWITCHED_ON = re.compile(r"\b(download|skip_broken)=True")
# What is shown of a report: in a line, and beside a bar.
_NAMES = {
    "loss": ("loss", "loss"),
    "accuracy": ("accuracy", "acc"),
    "val_accuracy": ("validation accuracy", "val"),
    "val_mse": ("validation mse", "val mse"),
    "tasks_per_s": ("tasks/s", "tasks/s"),
}


def run(main: Callable[[], dict[str, Any]]) -> None:
    """Runs a script: parses flags, turns bad input into one line and exit code 2.

    Args:
        main: Does the work; what it returns is printed as the last line by `--json`.
    """
    flags.DEFINE_bool("json", False, "Print the results as JSON on the last line.")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]

    def guarded(_):
        try:
            results = main()
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            reason = str(error).splitlines() or ["an array is too large"]
            fail(f"Not enough memory ({reason[0]}). Lower --tasks, --query or --way.")
        except (ValueError, FloatingPointError, ImportError, OSError) as error:
            fail(as_flags(str(error)))
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted. What was saved before is whole.\n")
            sys.exit(INTERRUPTED)
        if flags.FLAGS.json:
            sys.stdout.write(to_json(results) + "\n")

    app.run(guarded, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    if set(_HELP) & set(argv):
        sys.stdout.write(_help())
        sys.exit(0)
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        missing = _MISSING.fullmatch(str(error))
        fail(
            f"--{missing[1]} must be given (--help says what it is)."
            if missing
            else f"{str(error).removeprefix('ERROR:: ')} (--help lists the flags)"
        )
    if len(rest) > 1:
        fail(f"Flags start with --. Received: {' '.join(rest[1:])}.")
    if not flags.FLAGS["verbosity"].present:  # absl would make it INFO; TFDS talks.
        logging.set_verbosity(logging.ERROR)
    return rest


def _help() -> str:
    """The script's docstring, then its flags: own ones first, then shared ones."""
    lines = [(sys.modules["__main__"].__doc__ or "").strip(), ""]
    modules = flags.FLAGS.flags_by_module_dict()
    for title, module in (
        ("This script's flags", sys.argv[0]),
        ("Data, episodes, net and method", "common_flags"),
        ("What is scored", "scoring"),
        ("Output", "console"),
    ):
        if modules.get(module):
            lines += [f"{title}:", *map(_describe, modules[module]), ""]
    lines.append("--flagfile=FILE reads flags from a file, one a line.")
    return "\n".join(lines) + "\n"


def _describe(flag: flags.Flag) -> str:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    text = (flag.help or "").strip()
    if isinstance(flag, flags.EnumFlag):
        choices = "|".join(flag.parser.enum_values)
        name, text = f"{name}={choices}", text.removeprefix(f"<{choices}>: ")
    if flag.default is not None:
        text += " Default: {}.".format(flag.default_as_str.strip("'"))
    text = textwrap.fill(
        text,
        width=80,
        initial_indent=" " * 6,
        subsequent_indent=" " * 6,
    )
    return f"  {name}\n{text}"


def as_flags(message: str) -> str:
    """A sentence of the library with flags in place of Python arguments.

    The arguments that an error advises to change are named: "Lower way" becomes "Lower
    --way", "download=True" becomes "--download", "another run folder" becomes "another
    --run_dir".
    """
    message = re.sub(r"\bLower (way|shot|query)\b", r"Lower --\1", message)
    message = message.replace("Lower --shot or query", "Lower --shot or --query")
    message = message.replace("another run folder", "another --run_dir")
    return _SWITCHED_ON.sub(r"--\1", message)


def fail(message: str) -> None:
    """Ends the script with one line on stderr and exit code 2."""
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")
    sys.exit(2)


def say(message: str) -> None:
    """Prints a line."""
    SCREEN.print(message, highlight=False, markup=False, soft_wrap=True)


def percent(mean: float, ci95: float) -> str:
    """An accuracy with its interval, such as "97.31 ± 0.24 %"."""
    return f"{100 * mean:.2f} ± {100 * ci95:.2f} %"


def measure(metric: str, mean: float, ci95: float) -> str:
    """A metric with its interval: accuracy in percent, an error in its own units."""
    if metric == "accuracy":
        return percent(mean, ci95)
    return f"{mean:.4g} ± {ci95:.2g}"


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Prints a table under a line of its own."""
    sheet = Table()
    for place, column in enumerate(columns):
        sheet.add_column(column, justify="right" if place else "left")
    for row in rows:
        sheet.add_row(*row)
    say(title)
    SCREEN.print(sheet)


class TrainingProgress(Reporter):
    """A progress bar on a terminal, plain lines elsewhere."""

    def __init__(self):
        self._bar: Progress | None = None
        self._last: dict[str, Any] = {}

    def start(self, step: int, steps: int, flags: Any = None) -> None:
        """Begins at the step where the run continues."""
        self._steps = steps
        if step:
            say(f"Continuing at step {step} of {steps}.")
        if SCREEN.is_terminal:
            self._bar = Progress(
                TextColumn("{task.completed}/{task.total}"),
                BarColumn(bar_width=None),
                TimeRemainingColumn(table_column=Column(min_width=7, no_wrap=True)),
                TextColumn("{task.fields[numbers]}"),
                console=SCREEN,
                expand=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=steps, completed=step, numbers="")

    def advance(self, step: int) -> None:
        """Moves the bar."""
        if self._bar:
            self._bar.update(self._task, completed=step)

    def report(self, step: int, row: dict[str, Any]) -> None:
        """Shows the newest numbers."""
        self._last.update(row)
        if self._bar:
            self._bar.update(self._task, numbers=_beside(self._last))
        else:
            say(f"step {step}/{self._steps}  {_numbers(row)}")

    def stopping(self, reason: str) -> None:
        """Says that the wish to stop was heard."""
        say(f"{reason}: saving after this step; once more to stop without saving.")

    def close(self) -> None:
        """Ends the bar."""
        if self._bar:
            self._bar.stop()


def _numbers(row: dict[str, Any]) -> str:
    shown = [f"{name} {row[k]:.4g}" for k, (name, _) in _NAMES.items() if k in row]
    return "  ".join(shown)


def _beside(row: dict[str, Any]) -> str:
    shown = [f"{name} {row[k]:.3g}" for k, (_, name) in _NAMES.items() if k in row]
    return "  ".join(shown)
