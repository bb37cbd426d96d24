"""Floor 5: SavedModels that adapt where they are served."""

from tfmeta.export.save import save, save_classifier, save_regressor

__all__ = ["save", "save_classifier", "save_regressor"]
