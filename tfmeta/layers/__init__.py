"""Normalisation that is exact to second order, and the check for what is not."""

from __future__ import annotations

from tfmeta.layers.adaptable import adaptable, swap_inexact
from tfmeta.layers.bag import Bag
from tfmeta.layers.batch_norm import BatchNorm
from tfmeta.layers.conv_batch_norm import ConvBatchNorm
from tfmeta.layers.drop_block import DropBlock
from tfmeta.layers.exact import InexactPart, check_exact, inexact_parts
from tfmeta.layers.group_norm import GroupNorm
from tfmeta.layers.layer_norm import LayerNorm
from tfmeta.layers.max_pool import MaxPool
from tfmeta.layers.positions import Positions

__all__ = [
    "Bag",
    "BatchNorm",
    "ConvBatchNorm",
    "DropBlock",
    "GroupNorm",
    "InexactPart",
    "LayerNorm",
    "MaxPool",
    "Positions",
    "adaptable",
    "check_exact",
    "inexact_parts",
    "swap_inexact",
]


def __dir__() -> list[str]:
    """Lists the public names alone."""
    return sorted(__all__)
