"""The tables of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tfmeta.export.portable.rules.activations import ACTIVATIONS
from tfmeta.export.portable.rules.batch_norm import BATCH_NORM
from tfmeta.export.portable.rules.convolutions import AS_CONVOLUTION, AS_PRODUCT
from tfmeta.export.portable.rules.litert import ONLY_LITERT
from tfmeta.export.portable.rules.losses import LOSSES
from tfmeta.export.portable.rules.numbers import NUMBERS
from tfmeta.export.portable.rules.pools import POOLS
from tfmeta.export.portable.rules.shapes import SHAPES
from tfmeta.export.portable.rules.slices import SLICES

# From an operation and the new tensors in place of its inputs to its new outputs, or to
# NotImplemented where the operation can stay.
Rule: TypeAlias = Callable[..., Any]

_SHARED = (ACTIVATIONS, BATCH_NORM, LOSSES, NUMBERS, POOLS, SHAPES, SLICES)


def _joined(*tables: Mapping[str, Any]) -> dict[str, Rule]:
    return {name: rule for table in tables for name, rule in table.items()}


# A filter's gradient as a convolution would have the batch as its channels, which
# LiteRT must know; in ONNX Runtime it is ten times as fast as slices and a product.
FOR_LITERT: dict[str, Rule] = _joined(*_SHARED, AS_PRODUCT, ONLY_LITERT)
FOR_ONNX: dict[str, Rule] = _joined(*_SHARED, AS_CONVOLUTION)
