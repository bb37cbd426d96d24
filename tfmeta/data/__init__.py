"""Sources of examples, the episode sampler and the `tf.data` pipeline."""

from __future__ import annotations

from tfmeta.data.source import Source
from tfmeta.data.split import Split

__all__ = ["Source", "Split"]
