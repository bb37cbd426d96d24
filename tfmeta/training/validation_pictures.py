"""Pictures of a validation, for TensorBoard."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from tfmeta.core import Labels
from tfmeta.data import FunctionSplit, Part
from tfmeta.evaluation import Result
from tfmeta.evaluation.pictures.curve_picture import curve_picture
from tfmeta.evaluation.pictures.episode_picture import episode_picture, has_images
from tfmeta.evaluation.pictures.regression_picture import regression_picture

_QUERIES = 6


def validation_pictures(
    model: Any, part: Part, result: Result, *, seed: int
) -> dict[str, bytes]:
    """Draws the pictures that fit a validation.

    Args:
        model: The model that was validated.
        part: The validation part, of classes or functions.
        result: The result of the validation.
        seed: The seed of the validation's episodes.

    Returns:
        PNGs by name: `adaptation_curve` if the learner takes inner steps, `episode` if
        the learner adapts to images, `functions` if the tasks are functions of one
        number.
    """
    pictures: dict[str, Callable[[io.BytesIO], None]] = {}
    if result.curve is not None:
        pictures["adaptation_curve"] = lambda file: curve_picture(result, file)
    labels = isinstance(part.targets, Labels)
    if labels and result.shot and has_images(part):
        pictures["episode"] = lambda file: episode_picture(
            model,
            part,
            file,
            way=result.way or 1,
            shot=result.shot,
            query=min(result.query or _QUERIES, _QUERIES),
            seed=seed,
        )
    if isinstance(part, FunctionSplit) and part.example_shape == (1,):
        pictures["functions"] = lambda file: regression_picture(
            model, part, file, shot=result.shot, seed=seed
        )
    return {name: _drawn(draw) for name, draw in pictures.items()}


def _drawn(draw: Callable[[io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    draw(file)
    return file.getvalue()
