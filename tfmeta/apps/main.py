"""The command `tfmeta`: `tfmeta train`, `evaluate`, `compare`, `tune`, `export`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from tfmeta.apps.quiet_tensorflow import load_quietly

APPS = {
    "train": "Meta-trains a learner and keeps everything in a run folder.",
    "evaluate": "Scores a trained run on test episodes, with confidence intervals.",
    "compare": "Compares two trained runs on the same episodes.",
    "tune": "Searches for the flags of a training that validate best.",
    "export": "Exports a trained run as a SavedModel that adapts where it is served.",
}
_HELP = ("-h", "-help", "--help", "help")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the app that the first argument names.

    Args:
        argv: The program's name, the app's name, and the app's flags; None for the
            command line.
    """
    program, *arguments = sys.argv if argv is None else argv
    name, flags = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name in APPS:
        run_app(name, [program, *flags])
        return
    usage = "\n".join(f"  tfmeta {app:<9} {does}" for app, does in APPS.items())
    text = f"tfmeta APP --flag=value ...\n\n{usage}\n\ntfmeta APP --help lists flags.\n"
    if not name or name in _HELP:
        sys.stdout.write(text)
        return
    if name == "--version":
        version = importlib.import_module("tfmeta").__version__
        sys.stdout.write(f"{version}\n")
        return
    sys.stderr.write(
        f"error: There is no app {name!r}. It is one of: {', '.join(APPS)}.\n"
    )
    sys.exit(2)


def run_app(name: str, argv: Sequence[str] | None = None) -> None:
    """Runs an app, as `scripts/NAME.py` do.

    Args:
        name: The app, such as "train".
        argv: The program's name and the flags; None for the command line.
    """
    load_quietly()
    app = importlib.import_module(f"tfmeta.apps.{name}")
    command_line = importlib.import_module("tfmeta.apps.command_line")
    command_line.run(app, sys.argv if argv is None else argv)


if __name__ == "__main__":
    main()
