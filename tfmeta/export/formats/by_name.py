"""The formats by their names."""

from __future__ import annotations

from typing import Any

from tfmeta.export.formats.base import Format
from tfmeta.export.formats.litert import LiteRT
from tfmeta.export.formats.onnx import Onnx
from tfmeta.export.formats.saved_model import SavedModel
from tfmeta.export.formats.web import Web

DEFAULT_FORMAT = "savedmodel"
FORMATS: dict[str, type[Format]] = {
    "savedmodel": SavedModel,
    "litert": LiteRT,
    "onnx": Onnx,
    "web": Web,
}


def format_of(name: str, **said: Any) -> Format:
    """The format of a name, whose libraries are there.

    Args:
        name: One of `FORMATS`.
        **said: Options of the format, such as `selftest`; None is as left out.

    Raises:
        ValueError: If there is no such format, if a library that it needs is not
            installed, or if it does not take an option.
    """
    if name not in FORMATS:
        raise ValueError(
            f"format must be one of {', '.join(FORMATS)}. Received: {name!r}."
        )
    given = {option: value for option, value in said.items() if value is not None}
    for option in given.keys() - FORMATS[name].options:
        takes = [n for n, each in FORMATS.items() if option in each.options]
        raise ValueError(
            f"{option} is for the format {' or '.join(takes)}. Received: format="
            f"{name!r}. Leave out {option}."
        )
    found = FORMATS[name](**given)
    found.check_installed()
    return found
