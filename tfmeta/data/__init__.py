"""Sources of examples, the episode sampler and the `tf.data` pipeline."""

from __future__ import annotations

from tfmeta.data.function_split import FunctionSplit
from tfmeta.data.glyphs.glyphs import glyphs
from tfmeta.data.load import load
from tfmeta.data.part import Part
from tfmeta.data.pipeline.augmentation import (
    crops_and_colours,
    flips_and_shifts,
    small_moves,
)
from tfmeta.data.pipeline.episodes import episodes
from tfmeta.data.pipeline.examples import examples
from tfmeta.data.pipeline.saved_episodes import frozen_episodes, save_episodes
from tfmeta.data.prepare.tokens import Tokens
from tfmeta.data.sampling.episode_sampler import EpisodeSampler
from tfmeta.data.source import Source
from tfmeta.data.sources.arrays import from_arrays
from tfmeta.data.sources.class_lists import class_lists
from tfmeta.data.sources.families import harmonic, lines, sinusoid
from tfmeta.data.sources.folder import from_folder
from tfmeta.data.sources.from_function import from_function
from tfmeta.data.sources.npz import from_npz
from tfmeta.data.sources.rotations import with_rotations
from tfmeta.data.sources.tfds_source import from_tfds
from tfmeta.data.split import Split
from tfmeta.data.superclasses import by_superclass
from tfmeta.data.task_split import TaskSplit

__all__ = [
    "EpisodeSampler",
    "FunctionSplit",
    "Part",
    "Source",
    "Split",
    "TaskSplit",
    "Tokens",
    "by_superclass",
    "class_lists",
    "crops_and_colours",
    "episodes",
    "examples",
    "flips_and_shifts",
    "from_arrays",
    "from_folder",
    "from_function",
    "from_npz",
    "from_tfds",
    "frozen_episodes",
    "glyphs",
    "harmonic",
    "lines",
    "load",
    "save_episodes",
    "sinusoid",
    "small_moves",
    "with_rotations",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
