"""A picture of a learner that fits functions from a few points."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Episode, Options, Values, map_tasks
from tfmeta.core.episode import Nest
from tfmeta.data import FunctionSplit, Part
from tfmeta.evaluation.frozen import frozen
from tfmeta.evaluation.prepared import preparation_of
from tfmeta.learners import Learner, as_learner

_POINTS = 200  # Of each function, drawn as its curve.
_COLUMNS = 3
_TRUTH, _SUPPORT = "0.55", "black"
_SHADES = "viridis_r"  # Answers grow darker step by step.


def regression_picture(
    model: Any,
    split: Part,
    path: str | os.PathLike[str] | IO[bytes],
    *,
    shot: int = 5,
    seed: int = 1,
    tasks: int = 6,
    steps: Sequence[int] = (0, 1, 10),
) -> None:
    """Draws test functions, their support points, and what the learner makes of them.

    Args:
        model: A `MetaModel` or a `Learner` of float targets.
        split: The part to draw tasks from; inputs and targets must be single numbers.
        path: Where to write the PNG: a path or an open file.
        shot: The number of support points of a task.
        seed: Another seed draws other tasks.
        tasks: The number of tasks, at least 1.
        steps: The numbers of inner steps after which the learner's answers are drawn;
            without effect on a learner that takes none.

    Raises:
        ValueError: If inputs or targets are not single numbers.
    """
    learner = as_learner(model)
    if not isinstance(split, FunctionSplit) or split.example_shape != (1,):
        raise ValueError(
            "A picture of regression needs tasks that are functions of one number, "
            f"such as those of tfmeta.data.load('sinusoid'). Received: split "
            f"{split.name!r} with examples of shape {split.example_shape}."
        )
    stream = frozen(learner, split, shot=shot, query=_POINTS, episodes=tasks, seed=seed)
    x, y = next(iter(stream.unbatch().batch(tasks)))
    shown = sorted(set(steps)) if learner.default_steps is not None else []
    ready = preparation_of(model, split).batch(x)
    answers = _curves(learner, Episode.from_batch(ready, y), shown)
    names = [f"after {n} step{'s' * (n != 1)}" for n in shown] or ["answer"]
    figure, axes = _grid(tasks)
    parts = (x["support_x"], x["support_y"], x["query_x"], y, answers)
    for place, axis in enumerate(axes):
        _draw(axis, names, *(np.asarray(part[place])[..., 0] for part in parts))
    top = 1.3 * float(np.abs(y).max())
    axes[0].set_ylim(-top, top)  # Of the functions: an answer may leave the picture.
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.suptitle(
        f"{type(learner).__name__} on {shot} support points a task ({split.name})"
    )
    figure.savefig(path, dpi=110)


def _curves(learner: Learner, episodes: Episode, shown: list[int]) -> np.ndarray:
    """The answers to the queries, `(tasks, curves, queries, 1)`."""

    def answered(adapted: Nest, x: Nest) -> tf.Tensor:
        return Values().point(learner.predict(adapted, x, Options()))

    def one(task: Episode) -> tuple[tf.Tensor, list]:
        if not shown:
            adapted = learner.adapt(task.support, Options())
            return answered(adapted, task.query.x)[None], []
        path = learner.trajectory(task.support, Options(steps=shown[-1]))
        return tf.map_fn(
            lambda adapted: answered(adapted, task.query.x),
            tf.nest.map_structure(lambda t: tf.gather(t, shown), path),
            fn_output_signature=tf.float32,
        ), []

    return tf.function(lambda e: map_tasks(one, e)[0], autograph=False)(episodes)


def _grid(tasks: int) -> tuple[Any, list[Any]]:
    """A figure with a visible axis for each task, and these axes."""
    from matplotlib.figure import Figure

    rows = -(-tasks // _COLUMNS)
    figure = Figure(figsize=(10, 2.9 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).flat
    for spare in axes[tasks:]:
        spare.set_visible(False)
    return figure, list(axes[:tasks])


def _draw(
    axis: Any,
    names: list[str],
    support_x: np.ndarray,
    support_y: np.ndarray,
    query_x: np.ndarray,
    query_y: np.ndarray,
    answers: np.ndarray,
) -> None:
    """Draws one task; the arrays have lost their last axis."""
    from matplotlib import colormaps

    order = np.argsort(query_x)
    axis.plot(query_x[order], query_y[order], color=_TRUTH, lw=4, label="function")
    shades = colormaps[_SHADES](np.linspace(0.25, 0.95, len(answers)))
    for answer, shade, name in zip(answers, shades, names, strict=True):
        axis.plot(query_x[order], answer[order], color=shade, lw=1.6, label=name)
    axis.plot(support_x, support_y, "o", color=_SUPPORT, ms=5, label="support points")
    # In float64, where the square of a diverged answer does not overflow.
    errors = [f"{np.mean((np.float64(a) - query_y) ** 2):.2g}" for a in answers]
    axis.set_title(f"mse {' → '.join(errors)}", fontsize="medium")
    axis.spines[["top", "right"]].set_visible(False)
