"""A learner that has learned one task of values."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Values
from tfmeta.core.episode import Nest
from tfmeta.export import save_regressor
from tfmeta.export.example import value_shape
from tfmeta.learners import Learner
from tfmeta.serving.base import AdaptedTask


class AdaptedRegressor(AdaptedTask):
    """Predicts the values of one task; made by `MetaModel.adapt`.

    It keeps the weights that it was made with: training the model further does not
    change its answers.

    Args:
        learner: The learner that adapts.
        support_x: Raw inputs, `(examples, ...)`, or a dict or tuple of such arrays.
        support_y: `(examples, ...)` numbers; `(examples,)` where the net has one
            output.
        **options: `prepare` and `far_outside`, see `AdaptedTask`.

    Raises:
        ValueError: If the arrays do not fit each other or the learner.
    """

    def __init__(
        self, learner: Learner, support_x: Any, support_y: Any, **options: Any
    ):
        super().__init__(learner, Values(), **options)
        x = self.read("support_x", support_x)
        y = self._targets("support_y", support_y)
        if len(tf.nest.flatten(x)[0]) != len(y) or not len(y):
            raise ValueError(
                "support_x and support_y must have the same number of examples, at "
                f"least one. Received: {len(tf.nest.flatten(x)[0])} and {len(y)}."
            )
        self.fix_shape(x)
        self.adapted = self.adapt_to(x, y)

    def __repr__(self) -> str:
        """The learner's class."""
        return f"AdaptedRegressor({type(self.learner).__name__})"

    def predict(self, x: Any) -> Nest:
        """The predicted values.

        Args:
            x: Raw inputs, `(queries, ...)`, such as the support set's.

        Returns:
            `(queries, ...)` float32; `(queries, 1)` where the net has one output. If
            the learner predicts a dict, such as a mean and a deviation, a dict of such
            arrays.

        Raises:
            ValueError: If `x` does not fit, or the learner has diverged.
        """
        predictions = self.predictions(x)
        values = tf.nest.map_structure(
            lambda p: tf.cast(p, tf.float32).numpy(), predictions
        )
        if not all(np.isfinite(v).all() for v in tf.nest.flatten(values)):
            raise ValueError(
                "An answer holds a NaN or an infinite value. Check that the support "
                "set and the queries are scaled as in training; else lower the "
                "learner's inner step size or its number of steps."
            )
        return values

    def evaluate(self, x: Any, y: Any) -> float:
        """The mean squared error on queries whose values are known.

        Args:
            x: Raw inputs, `(queries, ...)`, such as the support set's.
            y: `(queries, ...)` numbers.

        Returns:
            The error, in target units squared.

        Raises:
            ValueError: If there is no query, or `x` and `y` have unequal numbers of
                queries.
        """
        truth = self._targets("y", y)
        values = self.targets.point(self.predict(x))
        if len(truth) != len(values) or not len(truth):
            raise ValueError(
                "x and y must have the same number of queries, at least one. Received: "
                f"{len(values)} queries and y of shape {truth.shape}."
            )
        metrics = self.targets.metrics(tf.constant(values), tf.constant(truth))
        return float(metrics[self.targets.metric])

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        format: str = "savedmodel",
        precision: str | None = None,
        refuse_outside: bool = False,
        allow_transductive: bool = False,
    ) -> pathlib.Path:
        """Writes a SavedModel that answers queries of this task, and only predicts.

        The SavedModel prepares raw queries as this object does. If the preparation
        reads pictures, it also has the signature `predict_images`, which takes their
        files.

        Args:
            path: The folder to write. "power/3" is version 3 of "power"; "power" is the
                next free version of it.
            format: "savedmodel", or "litert" or "onnx" for small runtimes.
            precision: Of the weights in a small format, see `tfmeta.export.save`.
            refuse_outside: Whether queries are refused whose prepared values are far
                outside those of meta-training; see `Preparation.outside`.
            allow_transductive: Whether normalisation "task" may be served, where a
                query's answer depends on the other queries of its request.

        Returns:
            The version folder.

        Raises:
            ValueError: If the regressor cannot be served in this way, or the folder
                cannot be written.
        """
        return save_regressor(
            self.learner,
            self.adapted,
            path,
            format=format,
            precision=precision,
            weights=self.weights,
            refuse_outside=refuse_outside,
            allow_transductive=allow_transductive,
            **self.raw_inputs,
        )

    def _targets(self, name: str, y: Any) -> np.ndarray:
        """Casts `y` to float32; single numbers get a last axis, `(examples, 1)`."""
        try:
            values = np.asarray(y, np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name} must hold numbers, the values of the examples. Received: "
                f"{type(y).__name__}, and NumPy says: {error}."
            ) from error
        shape = value_shape(self.learner, self.targets)
        if values.ndim == 1 and shape.is_compatible_with([1]):
            values = values[:, np.newaxis]
        fits = values.ndim and shape.is_compatible_with(values.shape[1:])
        if not fits or not np.isfinite(values).all():
            sizes = shape if shape.rank is not None else ["..."]
            wanted = ", ".join(str(n) for n in ("examples", *sizes))
            raise ValueError(
                f"{name} must hold finite numbers of the shape ({wanted}), as the net "
                f"gives them. Received: shape {values.shape}. Reshape them; if they "
                "are the numbers of classes, give whole numbers: y.astype(int)."
            )
        return values
