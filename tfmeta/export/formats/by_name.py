"""The formats by their names."""

from __future__ import annotations

from tfmeta.data.part import Part
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


def format_of(name: str, selftest: Part | None = None) -> Format:
    """The format of a name, whose libraries are there.

    Args:
        name: One of `FORMATS`.
        selftest: The part whose episodes the export can test itself on; None for none.

    Raises:
        ValueError: If there is no such format, if a library that it needs is not
            installed, or if it takes no episodes.
    """
    if name not in FORMATS:
        raise ValueError(
            f"format must be one of {', '.join(FORMATS)}. Received: {name!r}."
        )
    kind = FORMATS[name]
    if selftest is not None and not kind.takes_selftest:
        takes = [n for n, each in FORMATS.items() if each.takes_selftest]
        raise ValueError(
            f"selftest is for the format {' or '.join(takes)}. Received: format="
            f"{name!r}. Leave out selftest."
        )
    found = kind() if selftest is None else kind(selftest)  # type: ignore[call-arg]
    found.check_installed()
    return found
