"""The mean over several trainings of one recipe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.evaluation.compare import check_comparable
from tfmeta.evaluation.result import Result


@dataclass(frozen=True)
class SeedSummary:
    """What a recipe reaches over trainings that differ in their seed alone.

    A `Result`'s interval says how well one trained model is known; this one says how
    well the recipe is.

    Attributes:
        metric: As the results'.
        means: `(runs,)`, each run's mean over its episodes.
    """

    metric: str
    means: np.ndarray

    @property
    def runs(self) -> int:
        """How many runs."""
        return len(self.means)

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return float(np.mean(self.means))

    @property
    def ci95(self) -> float:
        """Half the width of the mean's 95 % confidence interval, by Student's t.

        NaN for a single run.
        """
        if self.runs < 2:
            return math.nan
        error = np.std(self.means, ddof=1) / math.sqrt(self.runs)
        return float(student_t(self.runs - 1) * error)

    def summary(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            "metric": self.metric,
            "mean": self.mean,
            "ci95": None if self.runs < 2 else self.ci95,
            "runs": self.runs,
            "means": self.means.tolist(),
        }


def over_seeds(results: Sequence[Result]) -> SeedSummary:
    """Summarises runs that differ in their training seed alone.

    Args:
        results: One `Result` a run, all on the same episodes.

    Returns:
        Mean and 95 % confidence interval over runs.

    Raises:
        ValueError: If there are none, they are not of the same episodes, or one is no
            number.
    """
    if not results:
        raise ValueError("over_seeds needs the result of a run at least. Received: [].")
    check_comparable(results)
    return SeedSummary(results[0].metric, np.array([r.mean for r in results]))


def student_t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution: 1.96 for many runs.

    Args:
        freedom: The degrees of freedom, at least 1.

    Returns:
        The t that the absolute value exceeds with probability 0.05.

    Example:
        >>> [round(student_t(n), 3) for n in (1, 2, 4, 1000)]
        [12.706, 4.303, 2.776, 1.962]
    """
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        x = tf.constant(freedom / (freedom + middle**2), tf.float64)
        half, quarter = (tf.constant(v, tf.float64) for v in (freedom / 2, 0.5))
        beyond = float(tf.math.betainc(half, quarter, x))  # P(|t| > middle)
        low, high = (middle, high) if beyond > 0.05 else (low, middle)
    return low
