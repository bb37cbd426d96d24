"""Compares what was written with TensorFlow, before anybody relies on it."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.export.formats.base import INT8, Arrays, Format
from tfmeta.export.portable import Unportable
from tfmeta.export.readme import inputs_of, sample
from tfmeta.export.signatures import ADAPT, BOTH, PREDICT

# How far numbers may be from TensorFlow's, as a share of the largest.
_FAR, _FAR_INT8 = 0.05, 0.3


def check_answers(
    folder: pathlib.Path, signatures: Mapping[str, Any], form: Format
) -> None:
    """Asks each signature of an export for small runtimes, and TensorFlow's graph.

    Converters have faults of which they say nothing. So a request is run on what was
    written and on the graphs that it was made of.

    Args:
        folder: The folder of the export.
        signatures: The concrete functions that were written, by name.
        form: The format.

    Raises:
        Unportable: If a file does not run, or answers otherwise.
    """
    if form.raises:
        return  # A SavedModel is TensorFlow's own.
    asked = {name: _request(f) for name, f in signatures.items()}
    if ADAPT in signatures:
        state = _by_tensorflow(signatures[ADAPT], asked[ADAPT])
        asked[PREDICT] = {**asked[PREDICT], **state}
    for name in (ADAPT, PREDICT, BOTH):
        if name in signatures:
            wanted = _by_tensorflow(signatures[name], asked[name])
            found = _asked(form, folder, name, asked[name])
            _compare(form, name, found, wanted)


def _request(function: Any) -> Arrays:
    """A made-up request, but for an adapted state."""
    specs = {
        name: spec
        for name, spec in inputs_of(function).items()
        if name.startswith(("support_", "query_"))
    }
    return {
        n: v.astype(specs[n].dtype.as_numpy_dtype) for n, v in sample(specs).items()
    }


def _by_tensorflow(function: Any, request: Arrays) -> Arrays:
    answer = function(**{name: tf.constant(value) for name, value in request.items()})
    return {name: np.asarray(value) for name, value in answer.items()}


def _asked(form: Format, folder: pathlib.Path, name: str, request: Arrays) -> Arrays:
    try:
        return form.answer(folder, name, request)
    except Exception as error:  # Each runtime has exceptions of its own.
        raise Unportable(
            f"The signature {name} was written, but does not run: "
            f"{str(error).splitlines()[0][:200]} Take another net, or use "
            "format='savedmodel'."
        ) from error


def _compare(form: Format, name: str, found: Arrays, wanted: Arrays) -> None:
    far = _FAR_INT8 if getattr(form, "precision", None) == INT8 else _FAR
    for output in wanted.keys() & {"probabilities", "values"}:
        value, right = np.asarray(found[output]), wanted[output]
        scale = np.max(np.abs(right), initial=1.0, where=np.isfinite(right))
        if value.shape != right.shape or not np.allclose(
            value, right, rtol=0, atol=far * scale, equal_nan=True
        ):
            raise Unportable(
                f"{output} of the signature {name} is another in the written file than "
                "in TensorFlow, by a fault of the converter. Take another net, or use "
                "format='savedmodel'; and please tell the authors of tfmeta."
            )
