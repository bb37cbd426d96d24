"""The four-block convolutional net of the few-shot literature."""

from __future__ import annotations

import keras

from tfmeta.layers import BatchNorm, ConvBatchNorm, MaxPool

_BLOCKS = 4


def conv4(
    *,
    way: int | None = None,
    filters: int = 64,
    strided: bool = False,
    input_shape: tuple[int, int, int] = (28, 28, 1),
) -> keras.Model:
    """Builds Conv4: four blocks of 3x3 convolution, normalisation and ReLU.

    Each block halves the image, by a 2x2 max-pool or, when `strided`, by the
    convolution's stride. The strided embedding is the mean over the remaining
    positions, the pooled one is flattened (28x28 leaves a single position, 84x84
    leaves 5x5). Convolutions have no bias: normalisation would cancel it.

    Args:
        way: the outputs of a linear layer "head" on top; None gives the embedding.
        filters: channels of every convolution.
        strided: whether convolutions of stride 2 take the place of max-pooling.
        input_shape: (height, width, channels); at least 16x16 unless strided.

    Returns:
        A functional model from `(examples, *input_shape)` to logits
        `(examples, way)`, or to embeddings `(examples, features)`.

    Raises:
        ValueError: if `way` or `filters` is not positive, or the image is too
            small for four halvings.

    Reference:
        Oriol Vinyals et al. Matching Networks for One Shot Learning. NeurIPS
        2016 (max-pool); Chelsea Finn, Pieter Abbeel, Sergey Levine.
        Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks. ICML
        2017 (strided). Differs from the papers: no bias before normalisation.

    Example:
        >>> conv4(way=5).output_shape
        (None, 5)
        >>> conv4(strided=True).output_shape
        (None, 64)
    """
    _check(way, filters, strided, input_shape)
    inputs = keras.Input(input_shape, name="images")
    x = inputs
    for block in range(1, _BLOCKS + 1):
        conv = keras.layers.Conv2D(
            filters,
            3,
            strides=2 if strided else 1,
            padding="same",
            use_bias=False,
            name=f"block{block}_conv",
        )
        norm = BatchNorm(name=f"block{block}_norm")
        x = ConvBatchNorm(conv, norm, name="block1")(x) if block == 1 else norm(conv(x))
        # After pooling, ReLU gives the same for a quarter of the work.
        if not strided:
            x = MaxPool(2, name=f"block{block}_pool")(x)
        x = keras.layers.ReLU(name=f"block{block}_relu")(x)
    if strided:
        x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    else:
        x = keras.layers.Flatten(name="embedding")(x)
    if way is not None:
        x = keras.layers.Dense(way, name="head")(x)
    return keras.Model(inputs, x, name="conv4")


def _check(
    way: int | None,
    filters: int,
    strided: bool,
    input_shape: tuple[int, int, int],
) -> None:
    if filters < 1 or (way is not None and way < 1):
        raise ValueError(
            "filters and way must be at least 1 (way=None leaves the head out). "
            f"Received: filters={filters}, way={way}."
        )
    if len(input_shape) != 3 or (not strided and min(input_shape[:2]) < 2**_BLOCKS):
        raise ValueError(
            "input_shape must be (height, width, channels), at least 16x16 for "
            f"max-pooling. Received: input_shape={tuple(input_shape)}. Resize the "
            "images or use strided=True."
        )
