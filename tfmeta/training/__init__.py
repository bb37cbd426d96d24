"""Floor 6: the Keras model, the trainer and what it keeps."""

from tfmeta.training.adapted_classifier import AdaptedClassifier
from tfmeta.training.meta_model import MetaModel
from tfmeta.training.run_folder import RunFolder
from tfmeta.training.trainer import Stream, Trainer

__all__ = ["AdaptedClassifier", "MetaModel", "RunFolder", "Stream", "Trainer"]
