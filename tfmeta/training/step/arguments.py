"""Reads what a user gives to `compile` and `fit` out of habit."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# The entries of a batch of episodes without which nothing can be learned.
_EPISODE = ("support_x", "support_y", "query_x")


def check_compile(options: dict[str, Any], *, loss: str) -> dict[str, Any]:
    """Refuses arguments of `keras.Model.compile` that would be of no effect.

    Args:
        options: The arguments beside the optimizer and the metrics.
        loss: What the model minimises, such as "the learner's own loss".

    Returns:
        The arguments for `keras.Model.compile`.

    Raises:
        ValueError: If a loss, weights for it, or `jit_compile=True` is among them.
    """
    options = dict(options)
    for name in ("loss", "loss_weights", "weighted_metrics"):
        if options.pop(name, None) is not None:
            raise ValueError(
                f"compile takes no {name}: the model minimises {loss}. Leave {name} "
                "out."
            )
    if options.pop("jit_compile", None) is True:
        raise ValueError(
            "compile takes no jit_compile=True: XLA cannot compile a whole step. Leave "
            'jit_compile out; MetaModel(learner, task_map="compiled") compiles the '
            "work of each task."
        )
    return {**options, "jit_compile": False}


def as_metrics(metrics: Any) -> list[Any]:
    """Reads the argument `metrics` of `compile`: a list, or one metric or its name.

    Args:
        metrics: Keras metrics or their names, or one of them.

    Returns:
        A list.
    """
    if isinstance(metrics, str | keras.metrics.Metric) or callable(metrics):
        return [metrics]
    return list(metrics)


def check_episodes(x: Any, y: Any = None) -> None:
    """Refuses data that are no episodes.

    Args:
        x: The first argument of `fit` or `evaluate`.
        y: The second one.

    Raises:
        ValueError: If `x` holds no episodes.
    """
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        x = spec[0] if isinstance(spec, tuple) and len(spec) > 1 else "no pairs (x, y)"
    elif not isinstance(x, dict | list) and not hasattr(x, "shape") and y is None:
        return  # A generator or a PyDataset, whose batches are not known yet.
    if not isinstance(x, dict) or any(name not in x for name in _EPISODE):
        got = x if isinstance(x, str) else type(x).__name__
        if isinstance(x, dict):
            got = f"a dict of {', '.join(map(str, x))}"
        raise ValueError(
            "A MetaModel learns from batches of episodes: a dict with "
            f"{', '.join(_EPISODE)}, and y. Received: {got}. Make episodes of plain "
            "arrays by tfmeta.data.from_arrays(x, y) and tfmeta.data.episodes."
        )
