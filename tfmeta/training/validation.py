"""Scores a model on the frozen episodes of the validation part."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tfmeta.data import Source
from tfmeta.evaluation import Result, evaluate
from tfmeta.evaluation.scorer import Scorer
from tfmeta.learners import Learner
from tfmeta.training.check_fit import VALIDATION_SEED
from tfmeta.training.pretrain import ExampleStream
from tfmeta.training.stream import Stream
from tfmeta.training.validation_pictures import validation_pictures


class Validation:
    """Scores a model again and again on the same episodes; compiles once.

    Args:
        model: A `MetaModel` or `PretrainModel`.
        source: The data, with a validation part.
        stream: The way, shot, queries and number of the episodes; or an
            `ExampleStream`, for all examples.
    """

    def __init__(self, model: Any, source: Source, stream: Stream | ExampleStream):
        self._model, self._part, self._stream = model, source.val, stream

    @functools.cached_property
    def _scorer(self) -> Scorer:
        learner = self._model.learner
        curve = chosen_steps(learner)
        return Scorer(learner, self._model.prepare, curve=curve)

    def __call__(self) -> tuple[Result, dict[str, bytes]]:
        """Scores the model as it is now, and changes nothing.

        Returns:
            The result, and the PNGs of `validation_pictures`.
        """
        result = evaluate(
            self._model,
            self._part,
            **self._stream.asked(),
            seed=VALIDATION_SEED,
            scorer=self._scorer,
        )
        pictures = validation_pictures(
            self._model, self._part, result, seed=VALIDATION_SEED
        )
        return result, pictures


def chosen_steps(learner: Learner) -> list[int]:
    """The few numbers of inner steps that a validation scores after.

    Args:
        learner: The learner that is scored.

    Returns:
        0, 1, the number of training, and the number outside training, as far as the
        learner takes so many; an empty list for a learner without inner steps.
    """
    last = learner.default_steps
    if last is None:
        return []
    numbers = {0, 1, getattr(learner, "inner_steps", last), last}
    return sorted(number for number in numbers if number <= last)


def validation_row(result: Result) -> dict[str, float]:
    """The numbers of a validation by the names that reporters get.

    Args:
        result: The result of the validation.

    Returns:
        `val_METRIC`, the ends of its interval, and the mean after inner steps.
    """
    row = {
        f"val_{result.metric}": result.mean,
        f"val_{result.metric}_low": result.mean - result.ci95,
        f"val_{result.metric}_high": result.mean + result.ci95,
    }
    if result.curve is not None:
        for steps, scores in zip(result.curve_steps, result.curve, strict=True):
            row[f"adaptation/step_{steps:02d}"] = float(np.mean(scores))
    return row
