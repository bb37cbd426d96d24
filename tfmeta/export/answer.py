"""The last stage of a signature: from predictions to what a client is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.core.episode import Nest, Tensor
from tfmeta.export.checks import Check, answer_checks, said
from tfmeta.export.guards import Guard

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Answer:
    """Turns predictions into named tensors.

    Attributes:
        targets: The kind of `y`.
        temperature: The number that logits are divided by; None to leave them. It
            changes probabilities, and no label.
        reject_below: A query is answered if its largest class probability, after the
            temperature, is at least this number; every other query gets the label -1.
            None answers all queries.

    Raises:
        ValueError: If a number is out of range, or given for values.
    """

    targets: Targets
    temperature: float | None = None
    reject_below: float | None = None

    def __post_init__(self) -> None:
        given = {"temperature": self.temperature, "reject_below": self.reject_below}
        said = [name for name, value in given.items() if value is not None]
        if said and not isinstance(self.targets, Labels):
            raise ValueError(
                f"{said[0]} is for the probabilities of classes, but this model "
                f"answers with values. Received: {given[said[0]]}. Leave out {said[0]}."
            )
        warmth = self.temperature
        if warmth is not None and not (np.isfinite(warmth) and warmth > 0):
            raise ValueError(
                "temperature must be a finite number above 0: logits are divided by "
                f"it. Received: {warmth}."
            )
        if self.reject_below is not None and not 0 <= self.reject_below <= 1:
            raise ValueError(
                "reject_below must be a probability, in 0..1, or None. Received: "
                f"{self.reject_below}."
            )

    def __call__(
        self, predictions: Nest, guard: Guard, classes: Tensor | None = None
    ) -> Tensors:
        """Answers queries.

        Args:
            predictions: What the learner predicted, `(queries, ...)`.
            guard: Lets tensors through checks.
            classes: The names of the classes, for the first columns of the logits; None
                if they have none.

        Returns:
            The tensors of `Targets.outputs`, and `names` if the classes have names:
            the name of the label, or "" where the label is -1.
        """
        if classes is not None:
            predictions = self._known(predictions, guard, classes)
        if self.temperature is not None:
            predictions = self.targets.point(predictions) / self.temperature
        outputs = self.targets.outputs(predictions)
        outputs = guard.passed(outputs, answer_checks(outputs))
        if self.reject_below is not None:
            sure = tf.reduce_max(outputs["probabilities"], -1) >= self.reject_below
            outputs["labels"] = tf.where(sure, outputs["labels"], -1)
        labels = isinstance(self.targets, Labels)
        outputs = guard.answer(outputs, 0.0 if labels else float("nan"))
        if classes is None:
            return outputs
        chosen = outputs["labels"]
        told = tf.gather(classes, tf.maximum(chosen, 0))
        return {**outputs, "names": tf.where(chosen >= 0, told, "")}

    def _known(self, predictions: Nest, guard: Guard, classes: Tensor) -> Tensor:
        """The logits of the classes that have names; a head may have further ones."""
        logits = self.targets.point(predictions)
        way, columns = tf.shape(classes)[0], tf.shape(logits)[-1]
        sentence = said(
            "There are {} names of classes, but the adapted state has {} classes. Give "
            "what adapt returned.",
            way,
            columns,
        )
        checks = [Check(way <= columns, sentence)]
        return guard.passed({"logits": logits[:, :way]}, checks)["logits"]
