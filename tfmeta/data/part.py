"""What episodes are drawn from."""

from __future__ import annotations

from typing import Any, Protocol

from tfmeta.core.targets import Targets
from tfmeta.data.sampler import Range, Sampler


class Part(Protocol):
    """The meta-train, meta-val or meta-test part of a source.

    `Split` is a part of classes, `TaskSplit` one of regression tasks, and
    `FunctionSplit` one of functions.
    """

    @property
    def name(self) -> str:
        """One of "train", "val" and "test"; part of what seeds the episodes."""

    @property
    def example_shape(self) -> Any:
        """The shape of one example, a tuple; where `x` is a nest, a nest of tuples."""

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of the stored examples; where `x` is a nest, a nest."""

    @property
    def targets(self) -> Targets:
        """What `y` is: `Labels()` of classes, `Values()` of numbers."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes; `()` where `y` are values, and tasks have no way."""

    @property
    def group_names(self) -> tuple[str, ...]:
        """What no two parts may share: the classes, or the tasks; `()` of functions."""

    def sampler(
        self,
        *,
        way: Range | None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes what draws its episodes; the arguments are those of `episodes`.

        Raises:
            ValueError: Where there are no such episodes.
        """
