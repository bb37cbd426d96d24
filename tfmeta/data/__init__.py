"""Sources of examples, the episode sampler and the `tf.data` pipeline."""

from __future__ import annotations

from tfmeta.data.episodes import episodes
from tfmeta.data.sampler import EpisodeSampler
from tfmeta.data.source import Source
from tfmeta.data.split import Split

__all__ = ["EpisodeSampler", "Source", "Split", "episodes"]
