"""The formats by their names."""

from __future__ import annotations

from tfmeta.export.formats.base import Format
from tfmeta.export.formats.litert import LiteRT
from tfmeta.export.formats.onnx import Onnx
from tfmeta.export.formats.saved_model import SavedModel

DEFAULT_FORMAT = "savedmodel"
FORMATS: dict[str, type[Format]] = {
    "savedmodel": SavedModel,
    "litert": LiteRT,
    "onnx": Onnx,
}


def format_of(name: str) -> Format:
    """The format of a name, whose libraries are there.

    Raises:
        ValueError: If there is no such format, or a library that it needs is not
            installed.
    """
    if name not in FORMATS:
        raise ValueError(
            f"format must be one of {', '.join(FORMATS)}. Received: {name!r}."
        )
    found = FORMATS[name]()
    found.check_installed()
    return found
