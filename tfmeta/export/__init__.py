"""Exports that adapt where they are served: SavedModels, LiteRT and ONNX files."""

from __future__ import annotations

from tfmeta.export.adapted import save_classifier, save_regressor
from tfmeta.export.save import save

__all__ = ["save", "save_classifier", "save_regressor"]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
