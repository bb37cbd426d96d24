"""The small convolutional net of introductions to deep learning."""

from __future__ import annotations

import keras

from tfmeta.layers import BatchNorm, MaxPool


def cnn(
    *,
    way: int | None = None,
    filters: int = 32,
    kernel: int = 3,
    strided: bool = False,
    batch_norm: bool = False,
    units: int = 128,
    dropout: float = 0.25,
    input_shape: tuple[int, int, int] = (28, 28, 1),
) -> keras.Model:
    """Builds two convolutions, a pool and a dense layer.

    The first convolution has `filters` channels, the second one `2 * filters`; neither
    pads. The pool halves the picture. All three layers with weights below the head are
    followed by ReLU. This is the net with which introductions classify MNIST. Without
    `batch_norm` a learner's argument `normalisation` makes no difference.

    Args:
        way: The outputs of a linear layer "head" on top; None gives the embedding.
        filters: The channels of the first convolution.
        kernel: The height and width of both kernels.
        strided: Whether the first convolution has stride 2, which leaves about a
            quarter of the work.
        batch_norm: Whether batches are normalised before each ReLU.
        units: The size of the dense layer, whose outputs are the embedding.
        dropout: The share of numbers that are dropped in training after the pool, and
            twice that share after the dense layer; 0 for no dropout. Below 0.5.
        input_shape: (height, width, channels), large enough that a position is left
            after the pool.

    Returns:
        A functional model from `(examples, *input_shape)` to logits
        `(examples, way)`, or to embeddings `(examples, units)`.

    Raises:
        ValueError: If a number is out of range, or the picture is too small.

    Reference:
        Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to
        Document Recognition", Proceedings of the IEEE 1998. Differs from the paper:
        ReLU, max-pooling, dropout, one pool and one dense layer.

    Example:
        >>> cnn(way=10).output_shape
        (None, 10)
    """
    _check(way, filters, kernel, strided, units, dropout, input_shape)
    inputs = keras.Input(input_shape, name="images")
    norms = [BatchNorm(name=f"norm{n}") if batch_norm else None for n in (1, 2, 3)]
    x = inputs
    for n in (1, 2):
        conv = keras.layers.Conv2D(
            n * filters,
            kernel,
            strides=2 if strided and n == 1 else 1,
            use_bias=not batch_norm,
            name=f"conv{n}",
        )
        x = _activated(conv, norms[n - 1], x, f"relu{n}")
    x = _dropped(MaxPool(2, name="pool")(x), dropout, "drop1")
    x = keras.layers.Flatten(name="flat")(x)
    dense = keras.layers.Dense(units, use_bias=not batch_norm, name="dense")
    x = _dropped(_activated(dense, norms[2], x, "embedding"), 2 * dropout, "drop2")
    if way is not None:
        x = keras.layers.Dense(way, name="head")(x)
    return keras.Model(inputs, x, name="cnn")


def _activated(
    layer: keras.layers.Layer, norm: BatchNorm | None, x: keras.KerasTensor, name: str
) -> keras.KerasTensor:
    x = layer(x)
    return keras.layers.ReLU(name=name)(x if norm is None else norm(x))


def _dropped(x: keras.KerasTensor, share: float, name: str) -> keras.KerasTensor:
    return keras.layers.Dropout(share, name=name)(x) if share else x


def _check(
    way: int | None,
    filters: int,
    kernel: int,
    strided: bool,
    units: int,
    dropout: float,
    input_shape: tuple[int, int, int],
) -> None:
    numbers = (filters, kernel, units, 1 if way is None else way)
    if min(numbers) < 1 or not 0 <= dropout < 0.5:
        raise ValueError(
            "filters, kernel, units and way must be at least 1, and dropout in 0..0.5, "
            f"without 0.5. Received: filters={filters}, kernel={kernel}, "
            f"units={units}, way={way}, dropout={dropout}."
        )
    # The pool needs 2 positions of the second convolution, and that one kernel + 1.
    least = 2 * kernel + (kernel if strided else 0)
    if len(input_shape) != 3 or min(input_shape[:2]) < least:
        raise ValueError(
            f"input_shape must be (height, width, channels), at least {least}x{least} "
            f"for kernel={kernel} and strided={strided}. Received: "
            f"input_shape={tuple(input_shape)}. Resize the images."
        )
