"""TEMP."""

from __future__ import annotations

import pathlib

import numpy as np

from tfmeta.data.stores.memory import MemoryStore

MappedStore = MemoryStore


def mapped_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    return {}


def mapping_of(path: pathlib.Path) -> tuple[int, str | None]:
    return 0, "no"
