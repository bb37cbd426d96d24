"""The tables of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tfmeta.export.portable.rules.activations import ACTIVATIONS
from tfmeta.export.portable.rules.batch_norm import BATCH_NORM, BY_GIVEN
from tfmeta.export.portable.rules.convolutions import CONVOLUTIONS
from tfmeta.export.portable.rules.litert import ONLY_LITERT
from tfmeta.export.portable.rules.losses import LOSSES
from tfmeta.export.portable.rules.numbers import NUMBERS
from tfmeta.export.portable.rules.onnx import ONLY_ONNX
from tfmeta.export.portable.rules.pools import POOLS
from tfmeta.export.portable.rules.shapes import SHAPES
from tfmeta.export.portable.rules.slices import SLICES

# From an operation and the new tensors in place of its inputs to its new outputs, or to
# NotImplemented where the operation can stay.
Rule: TypeAlias = Callable[..., Any]

_SHARED = (ACTIVATIONS, CONVOLUTIONS, LOSSES, NUMBERS, POOLS, SHAPES, SLICES)


def _joined(*tables: Mapping[str, Any]) -> dict[str, Rule]:
    return {name: rule for table in tables for name, rule in table.items()}


FOR_LITERT: dict[str, Rule] = _joined(*_SHARED, BATCH_NORM, ONLY_LITERT)
FOR_ONNX: dict[str, Rule] = _joined(*_SHARED, BY_GIVEN, ONLY_ONNX)
