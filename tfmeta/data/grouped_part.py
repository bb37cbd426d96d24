"""What episodes are drawn from where examples are in groups."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tfmeta.core.targets import Targets


class GroupedPart(Protocol):
    """What a sampler needs to know of a `Split` or a `TaskSplit`, which see."""

    @property
    def name(self) -> str:
        """Part of what seeds the episodes."""

    @property
    def x(self) -> Any:
        """The examples."""

    @property
    def y(self) -> np.ndarray:
        """Their class ids, or their values."""

    @property
    def targets(self) -> Targets:
        """Which of the two `y` is."""

    @property
    def group_names(self) -> tuple[str, ...]:
        """A name for each class or task."""

    @property
    def counts(self) -> np.ndarray:
        """The number of examples of each class or task."""
