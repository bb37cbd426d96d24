"""Floor 6: the Keras model, the trainer and what it keeps."""

from tfmeta.training.adapted_classifier import AdaptedClassifier
from tfmeta.training.meta_model import MetaModel

__all__ = ["AdaptedClassifier", "MetaModel"]
