"""The small convolutional net of introductions to deep learning."""

from __future__ import annotations

import keras

from tfmeta.layers import MaxPool


def cnn(
    *,
    way: int | None = None,
    filters: int = 32,
    units: int = 128,
    dropout: float = 0.25,
    input_shape: tuple[int, int, int] = (28, 28, 1),
) -> keras.Model:
    """Builds two convolutions, a pool and a dense layer, without normalisation.

    The convolutions are 3x3 with ReLU, of `filters` and twice as many channels; the
    pool halves the picture; the dense layer has ReLU too. This is the net with which
    introductions classify MNIST. It has no statistics, so it works in every
    normalisation mode.

    Args:
        way: The outputs of a linear layer "head" on top; None gives the embedding.
        filters: The channels of the first convolution; the second one has twice as
            many.
        units: The size of the dense layer "embedding".
        dropout: The share of numbers that are dropped in training after the pool, and
            twice that share after the dense layer; 0 for no dropout. Below 0.5.
        input_shape: (height, width, channels), at least 6x6.

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
    if min(filters, units, 1 if way is None else way) < 1 or not 0 <= dropout < 0.5:
        raise ValueError(
            "filters, units and way must be at least 1, and dropout in 0..0.5, without "
            f"0.5. Received: filters={filters}, units={units}, way={way}, "
            f"dropout={dropout}."
        )
    if len(input_shape) != 3 or min(input_shape[:2]) < 6:
        raise ValueError(
            "input_shape must be (height, width, channels), at least 6x6. Received: "
            f"input_shape={tuple(input_shape)}. Resize the images."
        )
    inputs = keras.Input(input_shape, name="images")
    x = keras.layers.Conv2D(filters, 3, activation="relu", name="conv1")(inputs)
    x = keras.layers.Conv2D(2 * filters, 3, activation="relu", name="conv2")(x)
    x = MaxPool(2, name="pool")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="drop1")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(units, activation="relu", name="embedding")(x)
    if dropout:
        x = keras.layers.Dropout(2 * dropout, name="drop2")(x)
    if way is not None:
        x = keras.layers.Dense(way, name="head")(x)
    return keras.Model(inputs, x, name="cnn")
