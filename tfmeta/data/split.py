"""One class split of a data set."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from tfmeta.data.part import Range, Sampler
from tfmeta.data.sampler import EpisodeSampler
from tfmeta.data.variable_sampler import bounds, varied


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """The examples of one class split, grouped by class.

    A split is a plain pair of arrays with names. The examples of a class lie next to
    each other, so a class is a range: example ids of class `c` are
    `starts[c] .. starts[c] + counts[c] - 1`. Every class has at least one example.

    Args:
        name: The split's name, "train", "val" or "test". It is part of what seeds the
            episodes, so the three splits have different streams.
        x: `(examples, *example_shape)`; images stay uint8 `(examples, H, W, C)`.
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
    x: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in ("x", "y"):
            object.__setattr__(self, field, np.asarray(getattr(self, field)))
        object.__setattr__(self, "class_names", tuple(map(str, self.class_names)))
        self._check_names()
        self._check_labels()

    def _check_names(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise ValueError(
                f"A split needs a name such as 'train'. Received: {self.name!r}."
            )
        seen: set[str] = set()
        for name in self.class_names:
            if name in seen:
                raise ValueError(
                    f"Class names must be unique, but split {self.name!r} names "
                    f"{name!r} twice. Rename or merge one of the two."
                )
            seen.add(name)

    def _check_labels(self) -> None:
        what = f"split {self.name!r}"
        y = self.y
        if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
            raise ValueError(
                f"y of {what} must be a vector of integer class ids. Received: "
                f"shape {y.shape}, dtype {y.dtype}."
            )
        if self.x.ndim < 1 or len(self.x) != len(y):
            raise ValueError(
                f"x and y of {what} must have the same length. Received: x of shape "
                f"{self.x.shape} and y of shape {y.shape}."
            )
        classes = len(self.class_names)
        if len(y) and (y.min() < 0 or y.max() >= classes):
            raise ValueError(
                f"y of {what} must lie in 0..{classes - 1}, one id for each of its "
                f"{classes} class names. Received: {y.min()}..{y.max()}."
            )
        if np.any(y[1:] < y[:-1]):
            raise ValueError(
                f"y of {what} must be sorted, so that a class's examples lie next to "
                "each other. Sort x and y by y, or use from_arrays, which does."
            )
        missing = np.flatnonzero(np.bincount(y, minlength=classes) == 0)
        if missing.size:
            raise ValueError(
                f"Every class needs an example, but {what} has none of "
                f"{self.class_names[missing[0]]!r}. Leave the class out."
            )
        object.__setattr__(self, "y", y.astype(np.int32, copy=False))

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """The number of examples of each class, `(num_classes,)` int32."""
        return np.bincount(self.y, minlength=self.num_classes).astype(np.int32)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """The first example id of each class, `(num_classes,)` int32."""
        return (np.cumsum(self.counts) - self.counts).astype(np.int32)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example, `(H, W, C)` for images."""
        return tuple(self.x.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the examples, uint8 for images."""
        return self.x.dtype

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

        Args:
            way: Classes an episode, or a range.
            shot: Support examples a class, or a range.
            query: Query examples a class; None takes all that the support leaves.
            seed: Another seed, other episodes.
            unequal_shots: Whether each class of an episode draws its own shot.

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
        most = EpisodeSampler(
            self,
            way=bounds("way", way)[1],
            shot=bounds("shot", shot)[1],
            query=query,
            seed=seed,
        )
        return varied(most, way=way, shot=shot, unequal_shots=unequal_shots)
