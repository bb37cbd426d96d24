"""Reads what a user gives to `compile` and `fit` out of habit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.core.episode import Nest, shapes
from tfmeta.data import Source

# The entries of a batch of episodes without which nothing can be learned.
_EPISODE = ("support_x", "support_y", "query_x")
_EPISODES = (
    f"A MetaModel takes batches of episodes (x, y), where x is a dict of "
    f"{', '.join(_EPISODE)}."
)
_ENDLESS = 10**12  # A stream of `episodes` ends where int64 does.
_ONE_HOT = ("categorical", "topkcategorical")
_OF_PROBABILITIES = ("sparsecategoricalcrossentropy", "crossentropy", "ce")


def check_compile(options: dict[str, Any], loss: str) -> dict[str, Any]:
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
                f"compile takes no {name}: the model minimises {loss}. Leave out "
                f"{name}."
            )
    if options.pop("jit_compile", None) is True:
        raise ValueError(
            "compile takes no jit_compile=True: XLA cannot compile a whole step. Leave "
            'out jit_compile; MetaModel(learner, task_map="compiled") compiles the '
            "work of each task."
        )
    return {**options, "jit_compile": False}


def as_metrics(metrics: Any, targets: Targets) -> list[Any]:
    """Reads the argument `metrics` of `compile`: a list, or one metric or its name.

    Args:
        metrics: Keras metrics or their names, or one of them.
        targets: The kind of `y`.

    Returns:
        A list.

    Raises:
        ValueError: If the numbers of a metric would be wrong, because it takes one-hot
            rows in place of labels, or probabilities in place of logits.
    """
    if isinstance(metrics, str | keras.metrics.Metric) or callable(metrics):
        metrics = [metrics]
    if isinstance(targets, Labels):
        _check_metrics(metrics)
    return list(metrics)


def _check_metrics(metrics: list[Any]) -> None:
    """Refuses metrics that would give wrong numbers of labels and logits."""
    for metric in metrics:
        name, kind = metric_name(metric), _kind(metric)
        if kind.startswith(_ONE_HOT):
            raise ValueError(
                "Labels are whole numbers, so metrics must take such labels. Received: "
                f"{name}, which takes one-hot rows. Use the metric of the same name "
                "with sparse_ before it."
            )
        logits = hasattr(metric, "get_config") and metric.get_config().get(
            "from_logits"
        )
        if kind in _OF_PROBABILITIES and not logits:
            raise ValueError(
                "Predictions are logits, so metrics must take logits. Received: "
                f"{name}, which takes probabilities. Leave it out: the loss is the "
                "cross-entropy. Or give keras.metrics.SparseCategoricalCrossentropy("
                "from_logits=True)."
            )


def metric_name(metric: Any) -> str:
    """The name of a metric in the logs.

    Args:
        metric: A Keras metric, a function or a name.
    """
    if isinstance(metric, str):
        return metric
    return str(getattr(metric, "name", getattr(metric, "__name__", metric)))


def _kind(metric: Any) -> str:
    """What a metric is, in lower case: "categoricalaccuracy", whatever its name."""
    if isinstance(metric, keras.metrics.Metric):
        return type(metric).__name__.lower()
    return metric_name(metric).replace("_", "").lower()


def check_monitors(callbacks: Any, reported: Sequence[str]) -> None:
    """Refuses callbacks that watch a number which is never reported.

    Args:
        callbacks: The argument `callbacks` of `fit`.
        reported: The names of the numbers that `fit` reports, without "val_".

    Raises:
        ValueError: If the monitor of a callback with `mode="auto"` is not reported.
    """
    for callback in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        monitor = getattr(callback, "monitor", None)
        if getattr(callback, "mode", None) != "auto" or not isinstance(monitor, str):
            continue
        if monitor.removeprefix("val_") not in reported:
            raise ValueError(
                f"{type(callback).__name__} must watch a number that fit reports: "
                f"{', '.join(reported)}; with validation_data also val_loss and the "
                f"like. Received: monitor={monitor!r}. Set monitor to one of these."
            )


def check_compiled(model: keras.Model, verb: str) -> None:
    """Refuses a model that is not compiled.

    Args:
        model: The model.
        verb: The name of the method that needs it.

    Raises:
        ValueError: If `compile` was not called.
    """
    if not model.compiled:
        raise ValueError(
            f"A model must be compiled before {verb}. Received: a model that is not. "
            "Call model.compile(keras.optimizers.Adam(1e-3)) first. (tfmeta.evaluate "
            "scores a model without it.)"
        )


def check_ends(data: Any, steps: int | None, name: str) -> None:
    """Refuses an endless dataset of which no number of batches is given.

    Args:
        data: What `fit` or `evaluate` is given.
        steps: The number of batches, or None.
        name: The argument that gives the number.

    Raises:
        ValueError: If the dataset is endless and `steps` is None.
    """
    if steps is not None or not isinstance(data, tf.data.Dataset):
        return
    batches = int(data.cardinality())
    if batches == tf.data.INFINITE_CARDINALITY or batches > _ENDLESS:
        raise ValueError(
            f"The dataset is endless, so {name}=None would never end. Give {name}, or "
            "give tfmeta.data.episodes a count of episodes."
        )


def check_episodes(
    x: Any, y: Any = None, *, inputs: Nest = None, answers: bool = True
) -> None:
    """Refuses data that are no batches of episodes.

    Args:
        x: The first argument of `fit`, `evaluate` or `predict`.
        y: The second one.
        inputs: The net's inputs, a nest of `tf.TensorSpec`; None without a net.
        answers: Whether `y` is needed.

    Raises:
        ValueError: If `x` holds no episodes, or `y` is missing.
    """
    told = f"a list of {shapes(x)}" if isinstance(x, list) else shapes(x)
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        told = f"a dataset of {shapes(spec)}"
        x, y = spec if isinstance(spec, tuple) and len(spec) == 2 else (spec, None)
        if isinstance(spec, tuple) and len(spec) == 3:
            x, y, _ = spec
    elif isinstance(x, Source) or hasattr(x, "sampler"):
        part = "the part" if hasattr(x, "sampler") else "source.train"
        raise ValueError(
            f"{_EPISODES} Received: {type(x).__name__}. Make batches of it: "
            f"tfmeta.data.episodes({part}, way=5, shot=1, tasks=16)."
        )
    elif not isinstance(x, dict | list) and not hasattr(x, "shape") and y is None:
        return  # A generator or a PyDataset, whose batches are not known yet.
    if not isinstance(x, dict) or any(name not in x for name in _EPISODE):
        raise ValueError(
            f"{_EPISODES} Received: {told}. Make episodes of plain arrays by "
            "tfmeta.data.from_arrays(x, y) and tfmeta.data.episodes."
        )
    if answers and y is None:
        raise ValueError(
            f"{_EPISODES} Received: x, and no y. Give y, the labels or values of the "
            "queries."
        )
    _check_arrays(x)
    if _is_single(x, inputs):
        raise ValueError(
            "A batch of episodes begins with an axis of tasks: support_x (tasks, "
            f"examples, ...), support_y (tasks, examples). Received: support_x "
            f"{shapes(x['support_x'])}, support_y {shapes(x['support_y'])}. Give a "
            "single episode that axis: tf.nest.map_structure(lambda t: t[None], "
            "(x, y)), or dataset.batch(1)."
        )


def _check_arrays(x: dict[str, Any]) -> None:
    for name in _EPISODE:
        bare = [t for t in tf.nest.flatten(x[name]) if not hasattr(t, "shape")]
        if bare:
            raise ValueError(
                f"{name} must be an array, or a nest of arrays. Received: "
                f"{type(x[name]).__name__} of {type(bare[0]).__name__}. Convert it by "
                "np.asarray."
            )


def _is_single(x: dict[str, Any], inputs: Nest) -> bool:
    """Whether the inputs are those of one episode, without an axis of tasks."""
    shape, dtype = tf.TensorShape(x["support_y"].shape), x["support_y"].dtype
    if shape.rank is None or shape.rank < 2:
        return shape.rank is not None
    if inputs is None or shape.rank > 2 or not tf.as_dtype(dtype).is_floating:
        return False
    leaves, specs = tf.nest.flatten(x["support_x"]), tf.nest.flatten(inputs)
    return len(leaves) == len(specs) and all(
        tf.TensorShape(leaf.shape).is_compatible_with(spec.shape)
        for leaf, spec in zip(leaves, specs, strict=True)
    )
