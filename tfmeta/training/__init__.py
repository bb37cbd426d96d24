"""The Keras model that meta-trains a learner, the trainer, and run folders."""

from __future__ import annotations

from tfmeta.training.copy_weights import CopiedWeights, copy_weights
from tfmeta.training.meta_model import MetaModel, TaskSums
from tfmeta.training.pretrain import ExampleStream, PretrainModel, pretrain
from tfmeta.training.run.run_folder import RunFolder
from tfmeta.training.stream import Stream
from tfmeta.training.trainer import Trainer

__all__ = [
    "CopiedWeights",
    "ExampleStream",
    "MetaModel",
    "PretrainModel",
    "RunFolder",
    "Stream",
    "TaskSums",
    "Trainer",
    "copy_weights",
    "pretrain",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
