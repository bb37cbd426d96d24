"""The interface of a source's parts, from which episodes are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import tensorflow as tf

from tfmeta.core.problems import kind_of
from tfmeta.core.targets import Targets
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.sampling.sampler import Range, Sampler


class Part(Protocol):
    """The meta-train, meta-val or meta-test part of a source.

    `Split` is a part of classes, `TaskSplit` a part of regression tasks, and
    `FunctionSplit` a part of functions.
    """

    @property
    def name(self) -> str:
        """One of "train", "val" and "test"; the episodes depend on it."""

    @property
    def example_shape(self) -> Any:
        """The shape of one example, a tuple; where `x` is a nest, a nest of tuples."""

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of the stored examples; where `x` is a nest, a nest."""

    @property
    def targets(self) -> Targets:
        """The kind of `y`: `Labels()` of classes, `Values()` of numbers."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; `()` where `y` holds values."""

    @property
    def group_names(self) -> tuple[str, ...]:
        """The names of the classes or tasks; `()` of functions."""

    @property
    def disjoint(self) -> str:
        """What no two parts of the source share: "classes", "tasks" or "examples"."""

    @property
    def prepare(self) -> Preparation:
        """How raw examples become what a net takes; without `low` and `high`."""

    def chunks(self) -> Iterator[Any]:
        """Sets of raw examples that have the part's smallest and largest numbers."""

    def sampler(
        self,
        *,
        way: Range | None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes the sampler of the part's episodes; see `tfmeta.data.episodes`.

        Raises:
            ValueError: If the part has no such episodes.
        """


def check_part(part: Any) -> None:
    """Refuses what is given in place of a part, such as a whole source.

    Args:
        part: What a user gives to draw episodes from.

    Raises:
        ValueError: If it is no part of a source.
    """
    if hasattr(part, "sampler"):
        return
    what = kind_of(part)
    advice = "Give a part; tfmeta.data.from_arrays makes a source of arrays."
    if all(hasattr(part, name) for name in ("train", "val", "test")):
        what, advice = f"a whole {what}", "Use .train, .val or .test of it."
    elif isinstance(part, tf.data.Dataset):
        what = "a tf.data.Dataset"
        advice = "Give the part that it was made from, such as data.test."
    raise ValueError(
        "Episodes are drawn from a part of a source: source.train, source.val or "
        f"source.test. Received: {what}. {advice}"
    )
