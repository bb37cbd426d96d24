"""Graphs of operations that small runtimes have, gradients included.

A learner that takes gradients while it adapts leaves TensorFlow's gradient kernels in
its graph, which no small runtime has. `rewritten` writes such a graph anew: a table of
rules says what takes the place of each of them, in forward operations alone. It knows
neither learners nor layers.
"""

from __future__ import annotations

from tfmeta.export.portable.rewriting import rewritten
from tfmeta.export.portable.rules.tables import FOR_LITERT, FOR_ONNX
from tfmeta.export.portable.unportable import Unportable, scope_of

__all__ = ["FOR_LITERT", "FOR_ONNX", "Unportable", "rewritten", "scope_of"]
