"""One part of a source whose tasks are functions of a number, for regression."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator

import numpy as np

from tfmeta.core.targets import Targets, Values
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.sampling.function_sampler import Function, FunctionSampler
from tfmeta.data.sampling.ranges import bounds, in_ranges
from tfmeta.data.sampling.sampler import Range, Sampler


@dataclasses.dataclass(frozen=True, eq=False)
class FunctionSplit:
    """A family of functions; a task is one of them, drawn at random.

    The three parts of a source draw from the same family, each from a stream of its
    own: no function is drawn twice but by chance.

    Args:
        name: "train", "val" or "test"; it is part of what seeds the episodes.
        function: From a key and x, `(points, 1)` float32, to the function's values at
            x, of the same shape. The key, `(2,)` int64, says which function it is: all
            that is random is drawn from it by stateless operations of TensorFlow.
        low: The lowest x.
        high: The highest x.

    Raises:
        ValueError: If `low` is not below `high`, or one of them is infinite.
    """

    name: str
    function: Function
    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(
                "low and high must be finite, and low below high. Received: "
                f"low={self.low}, high={self.high}."
            )

    def __repr__(self) -> str:
        """The part's name and the range of x."""
        ends = f"{self.low:g}..{self.high:g}"
        return f"FunctionSplit({self.name!r}, functions of x in {ends})"

    @property
    def example_shape(self) -> tuple[int, ...]:
        """One example is one number."""
        return (1,)

    @property
    def dtype(self) -> np.dtype:
        """Examples are float32."""
        return np.dtype(np.float32)

    @property
    def targets(self) -> Targets:
        """Values."""
        return Values()

    @property
    def group_names(self) -> tuple[str, ...]:
        """Functions are no groups of examples: the parts may share the family."""
        return ()

    @property
    def disjoint(self) -> str:
        """Tasks: each part draws functions of its own."""
        return "tasks"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Functions have no classes."""
        return ()

    @functools.cached_property
    def prepare(self) -> Preparation:
        """How the examples become what a net takes: they stay as they are."""
        return Preparation()

    def chunks(self) -> Iterator[np.ndarray]:
        """The lowest and the highest x, in one set of raw examples."""
        yield np.array([[self.low], [self.high]], np.float32)

    def sampler(
        self,
        *,
        way: Range | None = None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes what draws its episodes; the arguments are those of `episodes`.

        Args:
            way: None: a function has no classes.
            shot: The number of support points, or a range.
            query: The number of query points.
            seed: Another seed draws other episodes.
            unequal_shots: Whether each task draws its own shot.

        Returns:
            The sampler.

        Raises:
            ValueError: If a way is given, or a number is not as it must be.
        """
        if way is not None:
            raise ValueError(
                f"way={way} asks for classes, but the tasks of part {self.name!r} "
                "are functions, which have no classes. Leave out way."
            )
        if query is None:
            raise ValueError(
                "query=None takes all that are left, but a function has no end of "
                "points. Give query a number."
            )
        largest = FunctionSampler(
            self.function,
            (self.low, self.high),
            name=self.name,
            shot=bounds("shot", shot)[1],
            query=bounds("query", query)[1],
            seed=seed,
        )
        return in_ranges(
            largest, way=1, shot=shot, query=query, unequal_shots=unequal_shots
        )
