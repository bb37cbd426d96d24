"""Floor 5: SavedModels that adapt where they are served."""

from tfmeta.export.save import save, save_classifier

__all__ = ["save", "save_classifier"]
