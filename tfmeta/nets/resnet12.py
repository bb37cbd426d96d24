"""The residual net of the few-shot literature."""

from __future__ import annotations

import keras

from tfmeta.layers import BatchNorm, ConvBatchNorm, DropBlock, MaxPool

_SLOPE = 0.1
_BLOCKS = 4
_DROPPED = (3, 4)  # The blocks that drop-block follows.
_OF_IMAGES = ("block1_1", "block1_shortcut")  # The convolutions of the images.


def resnet12(
    *,
    way: int | None = None,
    filters: tuple[int, int, int, int] = (64, 160, 320, 640),
    drop_block: float = 0.0,
    block_size: int = 5,
    input_shape: tuple[int, int, int] = (84, 84, 3),
) -> keras.Model:
    """Builds ResNet-12: four residual blocks of three 3x3 convolutions.

    Each convolution is followed by normalisation, the first two of a block by a leaky
    ReLU. The block's input, through a 1x1 convolution and normalisation, is added;
    leaky ReLU and a 2x2 max-pool come after. The embedding is the mean over
    positions. Drop-block is random, so a learner takes it with
    `normalisation="running"` alone.

    Args:
        way: The outputs of a linear layer "head" on top; None gives the embedding.
        filters: Channels of the four blocks; (64, 128, 256, 512) is common too.
        drop_block: The share that drop-block takes, in training, from the maps after
            the last two blocks; 0.1 in the paper. 0 leaves it out.
        block_size: Height and width of what it drops, in positions.
        input_shape: (height, width, channels); at least 16x16.

    Returns:
        A functional model from `(examples, *input_shape)` to logits
        `(examples, way)`, or to embeddings `(examples, filters[-1])`.

    Raises:
        ValueError: If a number is out of range, or the image is too small for four
            halvings.

    Reference:
        Kwonjoon Lee, Subhransu Maji, Avinash Ravichandran, Stefano Soatto.
        Meta-Learning with Differentiable Convex Optimization. CVPR 2019. Differs from
        the paper: the mean over positions, where it flattens them; drop-block's rate
        does not grow during training, and no dropout follows the first two blocks.

    Example:
        >>> resnet12(way=5, filters=(2, 3, 4, 5), input_shape=(32, 32, 3)).output_shape
        (None, 5)
    """
    _check(way, filters, input_shape)
    inputs = keras.Input(input_shape, name="images")
    x = inputs
    for block, channels in enumerate(filters, start=1):
        x = _residual(x, channels, f"block{block}")
        # After pooling, leaky ReLU gives the same for a quarter of the work.
        x = MaxPool(2, name=f"block{block}_pool")(x)
        x = keras.layers.LeakyReLU(_SLOPE, name=f"block{block}_relu")(x)
        if drop_block and block in _DROPPED:
            x = DropBlock(
                rate=drop_block, block_size=block_size, name=f"block{block}_drop"
            )(x)
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    if way is not None:
        x = keras.layers.Dense(way, name="head")(x)
    return keras.Model(inputs, x, name="resnet12")


def _residual(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Three convolutions, and the shortcut around them; without the last leaky ReLU."""
    shortcut = _normalised(x, channels, 1, f"{name}_shortcut")
    for i in (1, 2, 3):
        x = _normalised(x, channels, 3, f"{name}_{i}")
        if i < 3:
            x = keras.layers.LeakyReLU(_SLOPE, name=f"{name}_{i}_relu")(x)
    return keras.layers.Add(name=f"{name}_add")([x, shortcut])


def _normalised(
    x: keras.KerasTensor, channels: int, size: int, name: str
) -> keras.KerasTensor:
    """A convolution, without the bias that normalisation would cancel, and that."""
    conv = keras.layers.Conv2D(
        channels,
        size,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, mode="fan_out", distribution="untruncated_normal"
        ),
        name=f"{name}_conv",
    )
    norm = BatchNorm(name=f"{name}_norm")
    if name in _OF_IMAGES:
        return ConvBatchNorm(conv, norm, name=name)(x)
    return norm(conv(x))


def _check(
    way: int | None, filters: tuple[int, ...], input_shape: tuple[int, ...]
) -> None:
    if len(filters) != _BLOCKS or min(filters) < 1 or (way is not None and way < 1):
        raise ValueError(
            f"filters must be {_BLOCKS} numbers of at least 1, and way at least 1 "
            f"(way=None leaves the head out). Received: filters={tuple(filters)}, "
            f"way={way}."
        )
    if len(input_shape) != 3 or min(input_shape[:2]) < 2**_BLOCKS:
        raise ValueError(
            "input_shape must be (height, width, channels), at least 16x16. "
            f"Received: input_shape={tuple(input_shape)}. Resize the images."
        )
