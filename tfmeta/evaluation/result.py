"""The result of an evaluation."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.core import Labels, Values
from tfmeta.evaluation.student_t import half_width
from tfmeta.json_files import read_json

_NOT_RECORDED = ("curve", "curve_steps", "metrics")
_HIGHER_IS_BETTER = {t.metric: t.higher_is_better for t in (Labels, Values)}


@dataclass(frozen=True)
class Result:
    """The scores of a learner on frozen episodes, with the settings that made them.

    Attributes:
        learner: The learner's class name.
        metric: The primary metric: "accuracy" (in 0..1), or for values "mse", the mean
            squared error in target units squared.
        scores: `(episodes,)`, the primary metric of each episode.
        split: The class split it was measured on, such as "test".
        way: The number of classes in an episode; None for regression.
        shot: The number of support examples per class; 0 for a learner that does not
            adapt, whose episodes are single examples.
        query: The number of queries per class; None if an episode took all that were
            left.
        seed: The seed of the episodes; None if they came from a file.
        normalisation: The normalisation mode in use, see `Learner.mode`; "task" is
            transductive.
        steps: The number of inner steps; None for a learner that takes none.
        seconds: The time that the evaluation took, in seconds.
        curve: The primary metric after some or all inner steps, a row for each number
            of steps and a column for each episode; or None.
        drawn: A digest of the episodes' content. Two results of the same episodes have
            the same digest.
        disjoint: What the split shares with no other split of its source: "classes",
            "tasks" or "examples".
        curve_steps: The number of inner steps before each row of `curve`, from 0.
        metrics: The scores `(episodes,)` of every metric, by the metric's name; see
            `tfmeta.Labels` and `tfmeta.Values`.
    """

    learner: str
    metric: str
    scores: np.ndarray = field(repr=False)
    split: str
    way: int | None
    shot: int
    query: int | None
    seed: int | None
    normalisation: str
    steps: int | None
    seconds: float
    curve: np.ndarray | None = field(default=None, repr=False)
    curve_steps: tuple[int, ...] = field(default=(), repr=False)
    drawn: str = field(default="", repr=False)
    disjoint: str = field(default="classes", repr=False)
    metrics: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        """The mean with its interval, and the size and number of the episodes."""
        mean, half = (f"{n:.3f}" for n in (self.mean, self.ci95))
        if self.metric != Labels.metric:  # Of any size, as the targets' units are.
            mean, half = f"{self.mean:.3g}", f"{self.ci95:.2g}"
        score = f"{self.metric} {mean}"
        if math.isfinite(self.ci95):
            score += f" ± {half}"
        if not self.shot:
            return f"Result({score}, {self.way} classes, {self.episodes} examples)"
        way = "" if self.way is None else f"{self.way}-way "
        count = f"{self.episodes} episode{'s' * (self.episodes != 1)}"
        return f"Result({score}, {way}{self.shot}-shot, {count})"

    @property
    def episodes(self) -> int:
        """The number of episodes."""
        return len(self.scores)

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value of the primary metric is better."""
        return _HIGHER_IS_BETTER.get(self.metric, True)

    @property
    def mean(self) -> float:
        """The mean of the primary metric over episodes."""
        return float(np.mean(self.scores))

    @property
    def ci95(self) -> float:
        """Half the width of the mean's 95 % confidence interval, by Student's t.

        NaN for a single episode, or if a score is not finite.
        """
        return half_width(self.scores)

    def summary(self) -> dict[str, Any]:
        """The result without the scores of single episodes, as plain numbers for JSON.

        Returns:
            A dict of the attributes, with `mean`, `ci95` and `episodes`. `curve` is a
            list with the mean and the `ci95` after each number of steps; `metrics` has
            the mean and the `ci95` of each metric.
        """
        curve = None
        if self.curve is not None:
            curve = [
                {"step": i, "mean": float(np.mean(s)), "ci95": half_width(s)}
                for i, s in zip(self.curve_steps, self.curve, strict=True)
            ]
        return {
            "learner": self.learner,
            "metric": self.metric,
            "mean": self.mean,
            "ci95": self.ci95,
            "episodes": self.episodes,
            "seed": self.seed,
            "split": self.split,
            "disjoint": self.disjoint,
            "way": self.way,
            "shot": self.shot,
            "query": self.query,
            "steps": self.steps,
            "normalisation": self.normalisation,
            "seconds": round(self.seconds, 2),
            "curve": curve,
            "drawn": self.drawn,
            "metrics": {
                name: {"mean": float(np.mean(s)), "ci95": half_width(s)}
                for name, s in self.metrics.items()
            },
        }

    def record(self) -> dict[str, Any]:
        """The summary and the scores of each episode; `read_result` reads it back."""
        summary = self.summary()
        for name, scores in self.metrics.items():
            summary["metrics"][name]["scores"] = scores.tolist()
        return {**summary, "scores": self.scores.tolist()}


def read_result(path: str | os.PathLike[str]) -> Result:
    """Reads the result that the app evaluate left in a run's folder.

    Args:
        path: The run's folder, or a JSON file with a `Result.record`.

    Returns:
        The result; its `curve` is None, because the record has no curve of single
        episodes.

    Raises:
        ValueError: If there is no file, or the file holds no result.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "results.json"
    if not file.exists():
        raise ValueError(
            f"There is no result in {path}: {file} does not exist. Score the run "
            "first, with the app evaluate."
        )
    record = read_json(file)
    names = [f.name for f in fields(Result) if f.name not in _NOT_RECORDED]
    if isinstance(record, dict):  # Results of version 0.3 do not have it.
        record.setdefault("disjoint", "classes")
    missing = [n for n in names if not isinstance(record, dict) or n not in record]
    if missing:
        raise ValueError(
            f"{file} is not a result of tfmeta evaluate: it lacks "
            f"{', '.join(missing)}. Score the run again."
        )
    scores = _array(record["scores"])
    metrics = {
        name: _array(each["scores"]) for name, each in record.get("metrics", {}).items()
    }
    return Result(
        **{name: record[name] for name in names}
        | {"scores": scores, "metrics": metrics or {record["metric"]: scores}}
    )


def _array(scores: list[float | None]) -> np.ndarray:
    """Turns scores of a JSON file, in which null stands for NaN, into an array."""
    return np.array([math.nan if s is None else s for s in scores])
