"""One class split of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmeta.core.targets import Labels, Targets
from tfmeta.data.grouped_part import GroupedPart
from tfmeta.data.nested import as_arrays
from tfmeta.data.sampling.episode_sampler import EpisodeSampler
from tfmeta.data.sampling.groups import Groups, check_lengths
from tfmeta.data.sampling.ranges import bounds, in_ranges
from tfmeta.data.sampling.sampler import Range, Sampler
from tfmeta.data.stores.store import Store


class Split(GroupedPart):
    """The examples of one class split, grouped by class.

    The examples of a class are next to each other, so a class is a range: example ids
    of class `c` are `starts[c] .. starts[c] + counts[c] - 1`. Every class has at least
    one example.

    Args:
        name: The split's name, "train", "val" or "test". The episodes depend on it, so
            the three splits have different streams.
        x: `(examples, *example_shape)`; images stay uint8 `(examples, H, W, C)`. An
            example may be a nest: then `x` is a dict or a tuple of such arrays, all
            of one length. Or a `Store` that holds the examples.
        y: `(examples,)` int32 class ids in `0..num_classes-1`, sorted.
        class_names: One unique name for each class.
        rows: The places of the examples in `x`, `(examples,)`, so that several splits
            may share a store; None if the split has all of `x`, in its order.
        prepare: A Keras layer by which an example becomes what a net takes; None
            divides pictures by 255, and leaves all else as it is.
        disjoint: What no two splits of the source share: "classes", or "examples".
        superclasses: The superclass of each class, if the classes of an episode shall
            be of one, see `by_superclass`; None draws them from all classes.

    Attributes:
        y: `(examples,)` int32, the class of each example: its place in `class_names`.

    Raises:
        ValueError: Where the arrays do not fit together.

    Example:
        >>> import numpy as np
        >>> x = np.zeros((3, 2, 2, 1), np.uint8)
        >>> split = Split("train", x, np.int32([0, 0, 1]), ("a", "b"))
        >>> split.num_classes, split.counts.tolist(), split.starts.tolist()
        (2, [2, 1], [0, 2])
    """

    def __init__(
        self,
        name: str,
        x: Any,
        y: np.ndarray,
        class_names: Sequence[str],
        *,
        rows: np.ndarray | None = None,
        prepare: Any = None,
        disjoint: str = "classes",
        superclasses: Sequence[str] | None = None,
    ):
        y, names = np.asarray(y), tuple(map(str, class_names))
        x = x if isinstance(x, Store) else as_arrays(x)
        check_lengths(x, rows, y, name)
        groups = Groups(y, names, kind="class", column="y", part=name)
        super().__init__(name, x, groups, rows=rows, prepare=prepare, disjoint=disjoint)
        self.y = y.astype(np.int32, copy=False)
        if superclasses is not None and len(superclasses) != len(names):
            raise ValueError(
                f"superclasses of split {name!r} must have one entry for each of its "
                f"{len(names)} classes. Received: {len(superclasses)}."
            )
        self.superclasses = None if superclasses is None else tuple(superclasses)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.groups.names

    @property
    def targets(self) -> Targets:
        """The kind of `y`: labels of classes."""
        return Labels()

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
                f"An episode is made of some of the classes of split {self.name!r}. "
                "Received: way=None. Give way, the number of classes."
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
