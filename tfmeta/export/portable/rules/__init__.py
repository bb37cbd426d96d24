"""What takes the place of TensorFlow's gradient kernels, for each runtime."""

from __future__ import annotations

from tfmeta.export.portable.rules.activations import ACTIVATIONS
from tfmeta.export.portable.rules.batch_norm import BATCH_NORM
from tfmeta.export.portable.rules.convolutions import AS_CONVOLUTION, AS_PRODUCT
from tfmeta.export.portable.rules.losses import LOSSES
from tfmeta.export.portable.rules.numbers import NUMBERS
from tfmeta.export.portable.rules.pools import POOLS
from tfmeta.export.portable.rules.products import PRODUCTS
from tfmeta.export.portable.rules.shapes import SHAPES
from tfmeta.export.portable.rules.slices import SLICES

_SHARED = {
    **ACTIVATIONS,
    **BATCH_NORM,
    **LOSSES,
    **NUMBERS,
    **POOLS,
    **SHAPES,
    **SLICES,
}
# A filter's gradient as a convolution would have the batch as its channels, which
# LiteRT must know; in ONNX Runtime it is ten times as fast as slices and a product.
FOR_LITERT = {**_SHARED, **AS_PRODUCT, **PRODUCTS}
FOR_ONNX = {**_SHARED, **AS_CONVOLUTION}
