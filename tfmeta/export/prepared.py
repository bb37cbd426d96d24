"""The second stage of a signature: from raw examples to what the learner takes."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Nest
from tfmeta.core.nests import named
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.export.checks import Check
from tfmeta.export.guards import Guard


class Prepare:
    """Prepares raw examples inside a served graph.

    Args:
        preparation: The preparation.
        refuse_outside: Whether prepared values far outside the range of meta-training
            are refused.

    Raises:
        ValueError: If they are to be refused, and the preparation knows no range.
    """

    def __init__(self, preparation: Preparation, *, refuse_outside: bool = False):
        if refuse_outside and all(value is None for value in preparation.low or ()):
            raise ValueError(
                "refuse_outside=True needs a preparation that knows the smallest and "
                "the largest value of meta-training. Received: one without low and "
                "high. Give the model the preparation that tfmeta.data measured, or "
                "leave out refuse_outside."
            )
        self.preparation = preparation
        self.refuse_outside = refuse_outside

    def __call__(self, raw: Nest, part: str, guard: Guard) -> Nest:
        """Prepares examples.

        Args:
            raw: The raw examples, `(examples, ...)` each.
            part: The name of the examples in a sentence.
            guard: Lets tensors through checks.

        Returns:
            What the learner takes, `(examples, ...)` each.
        """
        ready = self.preparation(raw)
        if not self.refuse_outside:
            return ready
        holds, sentence = self.preparation.outside(ready, part)
        passed = guard.passed(named(ready), [Check(holds, lambda: sentence)])
        return tf.nest.pack_sequence_as(ready, list(passed.values()))
