"""What the apps print: lines, tables, and commands that work when pasted."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

SCREEN = Console()


def fail(message: str) -> NoReturn:
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


def command(app: str, **values: Any) -> str:
    """A command line for another app, in the way that this app was called.

    Args:
        app: The app's name, such as "evaluate".
        **values: Its flags.

    Returns:
        The command, ready to be pasted.
    """
    called = Path(sys.argv[0])
    if called.suffix == ".py":
        start = f"{program('python')} {shlex.quote(str(called.parent / app))}.py"
    else:
        start = f"{program(called.name)} {app}"
    said = [f"--{name}={shlex.quote(str(value))}" for name, value in values.items()]
    return " ".join([start, *said])


def program(name: str) -> str:
    """How to call a program of this Python's environment.

    Args:
        name: The program's name, such as "tensorboard".

    Returns:
        The name alone if a shell finds that very program by it, else its path.
    """
    own = Path(sys.executable).parent / name
    found = shutil.which(name)
    if not own.exists() or (found and os.path.samefile(Path(found).parent, own.parent)):
        return name
    try:
        return shlex.quote(str(own.relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(str(own))
