"""What is told about a saved model, to people and to programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfmeta.core import Targets
from tfmeta.data.prepare.scale_pictures import ScalePictures
from tfmeta.export.answer import Answer
from tfmeta.export.prepared import Prepare
from tfmeta.learners import Learner


@dataclass(frozen=True)
class Facts:
    """The facts about a saved model.

    Attributes:
        learner: The learner's class name.
        targets: The kind of `y`.
        steps: The number of inner steps when served; None if the learner takes none.
        max_way: The most classes that can be served; None for any number.
        normalisation: The normalisation mode.
        prepare: The class name of the layer that prepares raw examples; None if it only
            scales pictures.
        names: The class names of an adapted classifier; None for any other model.
        temperature: The number that logits are divided by; None for none.
        reject_below: A query is answered if its largest class probability is at least
            this number; None if all queries are answered.
        refuse_outside: Whether values far outside those of training are refused.
        on_bad_input: "raise" or "flag", see `tfmeta.export.save`.
        adapted: Whether the model is adapted to one task, so that it only predicts.
    """

    learner: str
    targets: Targets
    steps: int | None
    max_way: int | None
    normalisation: str
    prepare: str | None
    names: Sequence[str] | None
    temperature: float | None
    reject_below: float | None
    refuse_outside: bool
    on_bad_input: str
    adapted: bool

    @classmethod
    def of(
        cls,
        learner: Learner,
        answer: Answer,
        prepare: Prepare,
        *,
        steps: int | None = None,
        names: Sequence[str] | None = None,
        on_bad_input: str = "raise",
        adapted: bool = False,
    ) -> Facts:
        """Collects the facts; the keyword arguments are attributes."""
        layer = prepare.preparation.layer
        return cls(
            type(learner).__name__,
            answer.targets,
            steps,
            learner.max_way,
            learner.mode,
            None if isinstance(layer, ScalePictures) else type(layer).__name__,
            names,
            answer.temperature,
            answer.reject_below,
            prepare.refuse_outside,
            on_bad_input,
            adapted,
        )

    def as_json(self) -> dict[str, Any]:
        """The facts as JSON can hold them."""
        return {**vars(self), "targets": self.targets.name}
