"""Code of a user's own that is named as text: `package.module:name`.

A run folder may name such code. Whoever loads the run runs the code, so a name is
looked for on PYTHONPATH and among installed packages, and never in the working
directory, where a stranger's files may lie beside a stranger's run.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_OTHERS = ("builtins", "keras", "numpy", "tensorflow", "tfmeta")


def is_own_code(name: str) -> bool:
    """Whether a text has the form `package.module:name`."""
    return _NAME.fullmatch(name) is not None


def import_own_code(name: str) -> Any:
    """Imports what a name such as `package.module:name` stands for.

    Args:
        name: The dotted name of a module, a colon, and a name in that module.

    Returns:
        The object of that name.

    Raises:
        ValueError: If there is no such module on PYTHONPATH or among the installed
            packages, or if the module has no such name.
    """
    module_name, _, attribute = name.partition(":")
    module = _import(module_name, name)
    if hasattr(module, attribute):
        return getattr(module, attribute)
    near = difflib.get_close_matches(attribute, dir(module), 1)
    raise ValueError(
        f"The module {module_name} ({module.__file__}) has no {attribute!r}. "
        + (f"Did you mean {module_name}:{near[0]}?" if near else "Name another.")
    )


@contextlib.contextmanager
def working_directory_hidden() -> Iterator[None]:
    """Keeps imports from finding modules in the working directory during a `with`.

    A working directory that the environment variable PYTHONPATH names is not hidden.
    """
    before, sys.path = sys.path, [p for p in sys.path if not _untrusted(p)]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path = before


def own_code_in(config: Any) -> list[str]:
    """The code that a Keras config needs and that neither Keras nor tfmeta has.

    Args:
        config: What `keras.saving.serialize_keras_object` returned.

    Returns:
        Names such as `package.module:name`, each once, in the config's order.
    """
    return list(dict.fromkeys(name for name, _ in _named(config)))


def import_own_code_in(config: Any) -> None:
    """Imports the modules of all code that a Keras config needs.

    Code that is registered with Keras already, as a class in a notebook may be, needs
    no import.

    Args:
        config: What `keras.saving.serialize_keras_object` returned.

    Raises:
        ValueError: If a module is not there; the error names the code.
    """
    import keras

    for name, registered in _named(config):
        if registered is None or keras.saving.get_registered_object(registered) is None:
            import_own_code(name)


def _import(module: str, name: str) -> Any:
    with working_directory_hidden():
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            # A module that the user's own module imports is that module's affair.
            if error.name is None or f"{module}.".find(f"{error.name}.") != 0:
                raise
    raise ValueError(
        f"{name} is looked for on PYTHONPATH and among the installed packages, and "
        f"there is no module {module!r}. {_remedy(module)}"
    )


def _remedy(module: str) -> str:
    top = module.partition(".")[0]
    here = [f"{top}.py", top]
    found = [each for each in here if os.path.exists(each)]
    if found:
        return (
            f"{found[0]} lies in the working directory, which is not searched: if you "
            "trust it, put PYTHONPATH=. before the command."
        )
    return "Install its package, or set PYTHONPATH to the folder where the module lies."


def _untrusted(entry: str) -> bool:
    """Whether an entry of `sys.path` is the working directory, and nobody said so."""
    here = os.path.realpath(os.getcwd())
    said = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    trusted = {os.path.realpath(path) for path in said if path}
    return os.path.realpath(entry or os.curdir) == here and here not in trusted


def _named(config: Any) -> Iterator[tuple[str, str | None]]:
    """Yields the own code in a config, and the name it is registered by."""
    if isinstance(config, list | tuple):
        for each in config:
            yield from _named(each)
    if not isinstance(config, dict):
        return
    module, name = config.get("module"), config.get("class_name")
    if isinstance(module, str) and isinstance(name, str):
        name = config["config"] if name == "function" else name
        if module.partition(".")[0] not in _OTHERS and isinstance(name, str):
            yield f"{module}:{name}", config.get("registered_name")
    for each in config.values():
        yield from _named(each)
