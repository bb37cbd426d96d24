"""SavedModels that adapt where they are served."""

from __future__ import annotations

from tfmeta.export.save import save, save_classifier, save_regressor

__all__ = ["save", "save_classifier", "save_regressor"]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
