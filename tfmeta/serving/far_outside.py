"""Warns of inputs that are not like those of meta-training."""

from __future__ import annotations

import warnings
from typing import Any

from tfmeta.data.prepare.preparation import Preparation


class FarOutside:
    """Warns once of inputs that are far outside the range of meta-training.

    Args:
        prepare: The preparation, which knows the range; see `Preparation.outside`.
    """

    def __init__(self, prepare: Preparation):
        self.prepare = prepare
        self._warned = False

    def __call__(self, name: str, prepared: Any) -> None:
        """Warns if a value is far outside, unless it has warned before.

        Args:
            name: The name of the examples in the warning.
            prepared: What the preparation returned, `(examples, ...)` or a nest.

        Warns:
            UserWarning: If a value is far outside.
        """
        if self._warned or not self.prepare.low:
            return
        holds, sentence = self.prepare.outside(prepared, name)
        if not bool(holds):
            self._warned = True
            warnings.warn(sentence.numpy().decode(), stacklevel=4)
