"""A picture of how a learner adapts, step by step."""

from __future__ import annotations

import os
from typing import IO

import numpy as np

from tfmeta.evaluation.result import Result
from tfmeta.evaluation.student_t import half_width

_BANDS = ((5, 95, 0.15), (25, 75, 0.25))  # Percentiles of tasks, and their ink.


def curve_picture(result: Result, path: str | os.PathLike[str] | IO[bytes]) -> None:
    """Draws the metric after inner steps, and how it spreads over tasks.

    The line is the mean with its 95 % confidence interval; the bands hold half of
    the tasks and nine tenths of them.

    Args:
        result: The result of `evaluate(..., curve=True)`.
        path: Where to write the PNG: a path or an open file.

    Raises:
        ValueError: If the result has no curve.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if result.curve is None:
        raise ValueError(
            "A picture of the adaptation needs its curve: call evaluate with "
            f"curve=True on a learner that takes inner steps. Received: a result of "
            f"{result.learner} without one."
        )
    steps = result.curve_steps
    mean = result.curve.mean(axis=1)
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axis = figure.subplots()
    for low, high, ink in _BANDS:
        ends = np.percentile(result.curve, [low, high], axis=1)
        axis.fill_between(
            steps, *ends, alpha=ink, color="C0", lw=0, label=f"{high - low} % of tasks"
        )
    axis.errorbar(
        steps,
        mean,
        [half_width(scores) for scores in result.curve],
        color="C0",
        marker="o",
        ms=4,
        capsize=3,
        label="mean and its 95 % interval",
    )
    axis.set_xlabel("inner steps")
    axis.set_ylabel(result.metric)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    axis.set_title(
        f"{result.learner} while it adapts ({result.split}, {result.episodes} tasks)",
        fontsize="medium",
    )
    figure.savefig(path, format="png", dpi=110)
