"""The interface of parts whose examples are in groups: in classes or tasks."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tfmeta.core.targets import Targets


class GroupedPart(Protocol):
    """The members of `Split` and `TaskSplit` that `EpisodeSampler` reads."""

    @property
    def name(self) -> str:
        """The name of the part; other names draw other episodes."""

    @property
    def x(self) -> Any:
        """The examples, an array `(examples, ...)` or a nest of arrays."""

    @property
    def y(self) -> np.ndarray:
        """The examples' class ids `(examples,)`, or their values `(examples, ...)`."""

    @property
    def targets(self) -> Targets:
        """The kind of the targets: `Labels()` of classes, `Values()` of numbers."""

    @property
    def group_names(self) -> tuple[str, ...]:
        """A name for each class or task."""

    @property
    def counts(self) -> np.ndarray:
        """The number of examples of each class or task."""
