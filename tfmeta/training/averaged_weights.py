"""The moving averages of weights that a Keras optimizer may keep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def keeps_averages(optimizer: Any) -> bool:
    """Whether an optimizer keeps moving averages of the weights (`use_ema=True`)."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return bool(getattr(inner, "use_ema", False))


@contextmanager
def averaged_weights(model: Any) -> Iterator[None]:
    """Gives a model the averages of its weights during a `with` block.

    When `fit` ends, Keras assigns the averages to the model's weights. A model whose
    optimizer keeps no averages, or has taken no step, keeps its weights.

    Args:
        model: A compiled `MetaModel` or `PretrainModel`.
    """
    optimizer, variables = model.optimizer, model.trained
    if not keeps_averages(optimizer) or not int(optimizer.iterations):
        yield
        return
    before = [variable.numpy() for variable in variables]
    optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
