"""Which of two is better on the same episodes, and whether that can be told."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmeta.core import Labels
from tfmeta.data import Part
from tfmeta.evaluation.evaluate import evaluate
from tfmeta.evaluation.result import Result, read_result
from tfmeta.evaluation.student_t import half_width

_LEAST_EPISODES = 10  # A few differences may agree by chance, and t hides how few.

# What two results must share for their scores to be of the same episodes.
_SHARED = ("metric", "split", "way", "shot", "query", "seed", "episodes")


@dataclass(frozen=True)
class Comparison:
    """Two results on the same episodes, and their difference.

    The difference is taken episode by episode. An episode that is hard for one model
    is usually hard for the other. This common part cancels in the difference, so the
    difference usually has a narrower interval than two separate results suggest.

    Attributes:
        a: The one result.
        b: The other.
    """

    a: Result
    b: Result

    def __repr__(self) -> str:
        """The verdict, then the two results."""
        return f"Comparison({self.verdict} A: {self.a.learner}, B: {self.b.learner}.)"

    @property
    def difference(self) -> float:
        """The mean over episodes of A's score less B's, in units of the metric."""
        return float(np.mean(self.a.scores - self.b.scores))

    @property
    def ci95(self) -> float:
        """Half the width of the difference's 95 % confidence interval, by Student's t.

        NaN for a single episode.
        """
        return half_width(self.a.scores - self.b.scores)

    @property
    def better(self) -> str | None:
        """The better one, "a" or "b"; None where that cannot be told.

        It cannot be told from fewer than ten episodes, or if the difference's interval
        holds zero.
        """
        few = self.a.episodes < _LEAST_EPISODES
        if few or not abs(self.difference) > self.ci95:
            return None
        return "a" if (self.difference > 0) == self.a.higher_is_better else "b"

    @property
    def verdict(self) -> str:
        """The answer as a sentence."""
        metric = self.a.metric
        count = f"{self.a.episodes} episode{'s' * (self.a.episodes != 1)}"
        size = _size(self.difference, self.ci95, metric)
        if self.a.episodes < _LEAST_EPISODES:
            return (
                f"A verdict needs at least {_LEAST_EPISODES} episodes. Received: "
                f"{count}, where A - B is {size}."
            )
        if self.better is None:
            return f"No difference can be told with {count}: A - B is {size}."
        size = _size(abs(self.difference), self.ci95, metric)
        how = "higher" if self.a.higher_is_better else "lower"
        best = self.better.upper()
        return f"{best} is better: its {metric} is {how} by {size} ({count})."

    def summary(self) -> dict[str, Any]:
        """All but the single scores, as plain numbers for JSON."""
        return {
            "a": self.a.summary(),
            "b": self.b.summary(),
            "difference": self.difference,
            "ci95": self.ci95,
            "better": self.better,
            "verdict": self.verdict,
        }


def compare(a: Any, b: Any, split: Part | None = None, **options: Any) -> Comparison:
    """Compares two results, runs or models on the same frozen episodes.

    Args:
        a: A `Result`; the folder of a run that the app evaluate has scored; or a
            `MetaModel` or `Learner` to evaluate.
        b: The same.
        split: The part to draw episodes from; None if both are results or folders.
        **options: For `evaluate`, such as `way`, `shot` and `episodes`.

    Returns:
        The `Comparison`: `difference`, `ci95`, `better`, `verdict`.

    Raises:
        ValueError: If the two were not scored on the same episodes, if one diverged,
            if a folder holds no result, or if a model comes without a split.

    Example:
        >>> from tfmeta.data import Split
        >>> from tfmeta.learners import NearestNeighbour
        >>> x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
        >>> names = ("a", "b", "c", "d")
        >>> split = Split("test", x, np.repeat(np.arange(4), 10), names)
        >>> one = NearestNeighbour()
        >>> found = compare(one, one, split, way=3, shot=1, query=5, episodes=10)
        >>> found.verdict.partition(":")[0]
        'No difference can be told with 10 episodes'
    """
    results = [_result(each, split, options) for each in (a, b)]
    check_comparable(results)
    return Comparison(*results)


def _size(difference: float, ci95: float, metric: str) -> str:
    """The difference with its interval, if there is one, in words."""
    points = metric == Labels.metric
    size = f"{100 * difference:.2f}" if points else f"{difference:.3g}"
    if not math.isnan(ci95):
        size += f" ± {100 * ci95:.2f}" if points else f" ± {ci95:.2g}"
    return f"{size} points" if points else size


def _result(each: Any, split: Part | None, options: dict[str, Any]) -> Result:
    if isinstance(each, Result):
        return each
    if isinstance(each, str | os.PathLike):
        return read_result(each)
    if split is None:
        raise ValueError(
            "compare of models needs a split to score them on, such as data.test. "
            f"Received: {type(each).__name__} without a split. Give a split, or two "
            "results of tfmeta.evaluate."
        )
    return evaluate(each, split, **options)


def check_comparable(results: Sequence[Result]) -> None:
    """Refuses results that are not numbers, or not of the same episodes one by one.

    Args:
        results: One or more.

    Raises:
        ValueError: If they differ in what was asked for, or in the data drawn from, or
            a learner diverged.
    """
    for each in results:
        bad = int(np.sum(~np.isfinite(each.scores)))
        if bad:
            raise ValueError(
                f"{each.learner} diverged: its {each.metric} is no number on {bad} of "
                f"{each.episodes} episodes, so it cannot be compared. Lower its inner "
                "step size or its number of steps."
            )
    first = results[0]
    for other in results[1:]:
        differ = [
            f"{name} {getattr(first, name)} and {getattr(other, name)}"
            for name in _SHARED
            if getattr(first, name) != getattr(other, name)
        ]
        same = first.drawn == other.drawn
        if same and first.drawn:
            continue  # However they were named: by a seed, or a file of them.
        if differ or not same:
            differ = differ or ["data"]
            raise ValueError(
                "Only results on the same episodes can be compared, but these differ "
                f"in {', '.join(differ)}. Evaluate both with the same data and options."
            )
