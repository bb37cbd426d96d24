"""One class split of a data set."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmeta.core.targets import Labels, Targets
from tfmeta.data.nested import as_arrays, example_dtype, example_shape
from tfmeta.data.prepare.measured import chunks_of
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.sampling.episode_sampler import EpisodeSampler
from tfmeta.data.sampling.groups import Groups, check_lengths
from tfmeta.data.sampling.ranges import bounds, in_ranges
from tfmeta.data.sampling.sampler import Range, Sampler
from tfmeta.data.stores.memory import MemoryStore


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """The examples of one class split, grouped by class.

    A split is plain arrays with names. The examples of a class lie next to each
    other, so a class is a range: example ids of class `c` are
    `starts[c] .. starts[c] + counts[c] - 1`. Every class has at least one example.

    Args:
        name: The split's name, "train", "val" or "test". The episodes depend on it, so
            the three splits have different streams.
        x: `(examples, *example_shape)`; images stay uint8 `(examples, H, W, C)`. An
            example may be a nest: then `x` is a dict or a tuple of such arrays, all
            of one length.
        y: `(examples,)` int32 class ids in `0..num_classes-1`, sorted.
        class_names: One unique name for each class.

    Raises:
        ValueError: Where the arrays do not fit together.

    Example:
        >>> import numpy as np
        >>> x = np.zeros((3, 2, 2, 1), np.uint8)
        >>> split = Split("train", x, np.int32([0, 0, 1]), ("a", "b"))
        >>> split.num_classes, split.counts.tolist(), split.starts.tolist()
        (2, [2, 1], [0, 2])
    """

    name: str
    x: Any
    y: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", as_arrays(self.x))
        object.__setattr__(self, "y", np.asarray(self.y))
        object.__setattr__(self, "class_names", tuple(map(str, self.class_names)))
        check_lengths(self.x, self.y, self.name)
        self._groups  # noqa: B018  Checks the labels.
        object.__setattr__(self, "y", self.y.astype(np.int32, copy=False))

    @functools.cached_property
    def _groups(self) -> Groups:
        return Groups(
            self.y, self.class_names, kind="class", column="y", part=self.name
        )

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def targets(self) -> Targets:
        """The kind of `y`: labels of classes."""
        return Labels()

    @property
    def group_names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.class_names

    @property
    def counts(self) -> np.ndarray:
        """The number of examples of each class, `(num_classes,)` int64."""
        return self._groups.counts

    @property
    def starts(self) -> np.ndarray:
        """The first example id of each class, `(num_classes,)` int64."""
        return self._groups.starts

    @property
    def example_shape(self) -> Any:
        """The shape of one example, `(H, W, C)` for images; a nest where `x` is one."""
        return example_shape(self.x)

    @property
    def dtype(self) -> Any:
        """The dtype of the examples, uint8 for images; a nest where `x` is one."""
        return example_dtype(self.x)

    @functools.cached_property
    def prepare(self) -> Preparation:
        """How the examples become what a net takes: pictures are scaled to 0..1."""
        return Preparation()

    def chunks(self) -> Iterator[Any]:
        """The raw examples, some at a time."""
        return chunks_of(MemoryStore(self.x))

    def sampler(
        self,
        *,
        way: Range | None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes the sampler of the split's episodes; see `tfmeta.data.episodes`.

        Args:
            way: The number of classes of an episode, or a range.
            shot: The number of support examples of each class, or a range.
            query: The number of query examples of each class; None takes all that
                the support leaves.
            seed: Another seed draws other episodes.
            unequal_shots: Whether each class of an episode draws its own shot from the
                range.

        Returns:
            The sampler.

        Raises:
            ValueError: Where the split has no such episodes.
        """
        if way is None:
            raise ValueError(
                f"Split {self.name!r} has classes, so way must say how many an episode "
                "is made of. Received: way=None."
            )
        largest = EpisodeSampler(
            self,
            way=bounds("way", way)[1],
            shot=bounds("shot", shot)[1],
            query=query,
            seed=seed,
        )
        return in_ranges(
            largest, way=way, shot=shot, query=query, unequal_shots=unequal_shots
        )
