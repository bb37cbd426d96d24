"""The mean over several trainings of one recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmeta.evaluation.compare import check_comparable
from tfmeta.evaluation.result import Result
from tfmeta.evaluation.student_t import half_width


@dataclass(frozen=True)
class SeedSummary:
    """What a recipe reaches over trainings that differ in their seed alone.

    A `Result`'s interval says how well one trained model is known; this one says how
    well the recipe is.

    Attributes:
        metric: The primary metric, that of the results.
        means: `(runs,)`, each run's mean over its episodes.
    """

    metric: str
    means: np.ndarray

    @property
    def runs(self) -> int:
        """The number of runs."""
        return len(self.means)

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return float(np.mean(self.means))

    @property
    def ci95(self) -> float:
        """Half the width of the mean's 95 % confidence interval; NaN for a single run.

        See `tfmeta.evaluation.student_t.half_width`.
        """
        return half_width(self.means)

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
