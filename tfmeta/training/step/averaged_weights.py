"""The moving averages of weights that a Keras optimizer may keep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def keeps_averages(optimizer: Any) -> bool:
    """Whether an optimizer keeps moving averages of the weights (`use_ema=True`)."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return bool(getattr(inner, "use_ema", False))


def assign_averages(model: Any) -> None:
    """Gives a model the averages of its weights, as Keras' `fit` does when it ends.

    A model whose optimizer keeps no averages, or has taken no step, keeps its weights.

    Args:
        model: A compiled `MetaModel` or `PretrainModel`.
    """
    if keeps_averages(model.optimizer) and int(model.optimizer.iterations):
        model.optimizer.finalize_variable_values(model.trained)


@contextmanager
def averaged_weights(model: Any) -> Iterator[None]:
    """Gives a model the averages of its weights during a `with` block.

    Args:
        model: A compiled `MetaModel` or `PretrainModel`.
    """
    if not keeps_averages(model.optimizer):
        yield
        return
    before = [variable.numpy() for variable in model.trained]
    assign_averages(model)
    try:
        yield
    finally:
        for variable, value in zip(model.trained, before, strict=True):
            variable.assign(value)
