"""The interface of what episodes are drawn from: examples in groups."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfmeta.data.sampling.groups import Groups


class Grouped(Protocol):
    """The members of a part that `EpisodeSampler` reads.

    A class is one kind of group, and the examples of one user, patient or device are
    another. The sampler need not know which.
    """

    @property
    def name(self) -> str:
        """The name of the part; other names draw other episodes."""

    @property
    def groups(self) -> Groups:
        """The group that each example belongs to."""

    @property
    def values(self) -> np.ndarray | None:
        """The targets of the examples; None if an example's label is its group's."""

    @property
    def superclasses(self) -> tuple[str, ...] | None:
        """The superclass of each group, if the groups of an episode are of one."""

    def take(self, ids: tf.Tensor) -> Any:
        """The examples of ids of any shape, as a nest of tensors."""
