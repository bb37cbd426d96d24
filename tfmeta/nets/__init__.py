"""Small nets of the few-shot literature, as plain Keras models."""

from __future__ import annotations

from tfmeta.nets.cnn import cnn
from tfmeta.nets.conv4 import conv4
from tfmeta.nets.features import features
from tfmeta.nets.freeze import freeze
from tfmeta.nets.fresh import fresh
from tfmeta.nets.mlp import mlp
from tfmeta.nets.rebuild_problem import rebuild_problem
from tfmeta.nets.resnet12 import resnet12
from tfmeta.nets.text_encoder import text_encoder

__all__ = [
    "cnn",
    "conv4",
    "features",
    "freeze",
    "fresh",
    "mlp",
    "rebuild_problem",
    "resnet12",
    "text_encoder",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
