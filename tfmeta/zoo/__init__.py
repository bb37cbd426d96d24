"""Trained nets that ship, by name, each with its recipe and its measured result."""

from __future__ import annotations

from tfmeta.zoo.card import Card, Score
from tfmeta.zoo.catalogue import card, names, run_folder
from tfmeta.zoo.load import load
from tfmeta.zoo.pack import pack

__all__ = ["Card", "Score", "card", "load", "names", "pack", "run_folder"]


def __dir__() -> list[str]:
    return __all__
