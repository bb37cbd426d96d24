"""A fully connected net, for regression and for small feature vectors."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def mlp(
    *,
    outputs: int | None = None,
    units: Sequence[int] = (40, 40),
    input_shape: tuple[int, ...] = (1,),
    activation: str = "relu",
) -> keras.Model:
    """Builds a multi-layer perceptron; the defaults are MAML's sinusoid net.

    Args:
        outputs: the size of a linear layer "head" on top: the way of a
            classifier or the number of values to predict; None gives the last
            hidden layer as embedding.
        units: the sizes of the hidden layers.
        input_shape: the shape of one example; flattened if it has several axes.
        activation: the hidden layers' activation, by its Keras name.

    Returns:
        A functional model from `(examples, *input_shape)` to `(examples, outputs)`,
        or to `(examples, units[-1])`.

    Raises:
        ValueError: if a size is not positive, or the net would have no layer.

    Reference:
        Chelsea Finn, Pieter Abbeel, Sergey Levine. Model-Agnostic Meta-Learning
        for Fast Adaptation of Deep Networks. ICML 2017, section 5.1. Does not
        differ from the paper.

    Example:
        >>> mlp(outputs=1).output_shape
        (None, 1)
    """
    sizes = [*units, *([] if outputs is None else [outputs])]
    if not sizes or min(sizes) < 1:
        raise ValueError(
            "mlp needs at least one layer and sizes of at least 1. "
            f"Received: units={tuple(units)}, outputs={outputs}."
        )
    inputs = keras.Input(input_shape, name="inputs")
    x = inputs if len(input_shape) == 1 else keras.layers.Flatten(name="flat")(inputs)
    for i, size in enumerate(units, start=1):
        x = keras.layers.Dense(size, activation=activation, name=f"hidden{i}")(x)
    if outputs is not None:
        x = keras.layers.Dense(outputs, name="head")(x)
    return keras.Model(inputs, x, name="mlp")
