"""Runs an app: reads its flags, and turns bad input into one line and exit code 2."""

from __future__ import annotations

import atexit
import gc
import re
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import tensorflow as tf
from absl import app as absl_app
from absl import flags, logging

from tfmeta.apps import console, helptext, runs
from tfmeta.apps.flags.in_flags import in_flags
from tfmeta.apps.flags.parts import Parts
from tfmeta.json_files import to_json

FLAGS = flags.FLAGS
INTERRUPTED = 130
_HELP = ("--help", "-help", "-h", "--helpfull", "-helpfull")
_MISSING = re.compile(r"flag --([\w.]+)=None: Flag --[\w.]+ must have a value other .*")


def run(module: ModuleType, argv: Sequence[str]) -> None:
    """Runs an app.

    Args:
        module: The app. Its `define_flags` defines its own flags; its `main` does the
            work, and returns what `--json` prints as the last line; its `PARTS` are the
            parts that its flags name.
        argv: The program's name and the flags.
    """
    # Python ends by looking for garbage in all that is left: seconds, for graphs.
    atexit.register(gc.freeze)
    define(module)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]

    def guarded(_: Any) -> None:
        results = _refusing(module.main, module.PARTS)
        if FLAGS.json:
            sys.stdout.write(to_json(results) + "\n")

    def parse(arguments: list[str]) -> list[str]:
        return _parse(module, arguments)

    absl_app.run(guarded, argv=list(argv), flags_parser=parse)


def define(module: ModuleType) -> None:
    """Defines the flags of an app that do not depend on the parts that are named."""
    module.PARTS.define_names()
    module.define_flags()
    flags.DEFINE_bool("json", False, "Print the results as JSON on the last line.")


def _refusing(main: Any, parts: Parts) -> Any:
    try:
        return main()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        reason = str(error).splitlines() or ["an array is too large"]
        console.fail(
            f"Not enough memory ({reason[0]}). Lower --tasks, --query or --way."
        )
    except (ValueError, FloatingPointError, ImportError, OSError) as error:
        console.fail(in_flags(str(error), parts))
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. What was saved before is whole.\n")
        sys.exit(INTERRUPTED)


def _parse(module: ModuleType, argv: list[str]) -> list[str]:
    """Defines the flags of the parts that are named, and reads the command line."""
    try:
        given = FLAGS.read_flags_from_files(argv, force_gnu=True)
        recorded = runs.flags_named_in(given[1:]) if module.PARTS.of_run else {}
        module.PARTS.define(given[1:], recorded)
        if set(_HELP) & set(argv):
            every = any("full" in each for each in set(_HELP) & set(argv))
            sys.stdout.write(helptext.of(module, argv[0], every=every))
            sys.exit(0)
        rest = FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        refusal = module.PARTS.refusal(error.flagname)
        console.fail(refusal or f"{error} (--help lists the flags)")
    except flags.Error as error:
        console.fail(_told(str(error)))
    except (ValueError, ImportError) as error:
        console.fail(in_flags(str(error), module.PARTS))
    if len(rest) > 1:
        console.fail(f"Flags start with --. Received: {' '.join(rest[1:])}.")
    if not FLAGS["verbosity"].present:  # absl would make it INFO; TFDS talks.
        logging.set_verbosity(logging.ERROR)
    return rest


def _told(error: str) -> str:
    missing = _MISSING.fullmatch(error)
    if missing:
        return f"--{missing[1]} must be given (--help says what it is)."
    return f"{error.removeprefix('ERROR:: ')} (--help lists the flags)"
