"""Writes signatures into a version folder, and what is told about them."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.data.prepare.preparation import Preparation
from tfmeta.export.facts import Facts
from tfmeta.export.formats.base import Format
from tfmeta.export.formats.compared import check_answers
from tfmeta.export.guards import Flag, Guard, Raise
from tfmeta.export.readme import write_readme
from tfmeta.export.signatures import DEFAULT, module_of
from tfmeta.export.version_folder import VersionFolder

_ON_BAD_INPUT: dict[str, type[Guard]] = {"raise": Raise, "flag": Flag}


def written(
    path: str | os.PathLike[str],
    signatures: dict[str, Any],
    variables: Sequence[tf.Variable],
    preparation: Preparation,
    facts: Facts,
    form: Format,
) -> pathlib.Path:
    """Writes an export; nothing is there if that fails.

    Args:
        path: The folder, see `VersionFolder`.
        signatures: The concrete functions by name; the default one has a name of its
            own too.
        variables: The variables that the graphs may read.
        preparation: What prepares raw examples.
        facts: What README.md tells.
        form: The format.

    Returns:
        The version folder.

    Raises:
        ValueError: If the folder cannot be written, or the format has no form for an
            operation.
    """
    folder = VersionFolder(path)
    module = module_of(variables, signatures.values(), preparation)
    if not form.aliases:
        signatures = {n: f for n, f in signatures.items() if n != DEFAULT}
    with folder.writing() as partial:
        kept = form.write(module, signatures, partial, facts)
        check_answers(partial, kept, form)
        write_readme(partial, kept, facts, folder.served_name, form)
    return folder.path


def on_bad_input_of(said: str | None, form: Format) -> str:
    """What a refused request gets, "raise" or "flag".

    Args:
        said: What the caller says; None for what the format does by itself.
        form: The format.

    Raises:
        ValueError: If there is no such way, or the format does not know it.
    """
    if said is None:
        return "raise" if form.raises else "flag"
    if said not in _ON_BAD_INPUT:
        raise ValueError(f"on_bad_input must be 'raise' or 'flag'. Received: {said!r}.")
    if said == "raise" and not form.raises:
        raise ValueError(
            f"on_bad_input must be 'flag' for the format {form.name}, which cannot "
            "raise. Received: 'raise'. Leave out on_bad_input."
        )
    return said


def guard_of(on_bad_input: str) -> type[Guard]:
    """The guard of "raise" or "flag"."""
    return _ON_BAD_INPUT[on_bad_input]
