"""One part of a data set whose tasks are given, for regression."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmeta.core.targets import Targets, Values
from tfmeta.data.nested import as_arrays, example_dtype, example_shape
from tfmeta.data.prepare.measured import chunks_of
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.sampling.episode_sampler import EpisodeSampler
from tfmeta.data.sampling.groups import Groups, check_lengths
from tfmeta.data.sampling.ranges import bounds, in_ranges
from tfmeta.data.sampling.sampler import Range, Sampler
from tfmeta.data.stores.memory import MemoryStore


@dataclasses.dataclass(frozen=True, eq=False)
class TaskSplit:
    """Examples with float targets, grouped by the task that each belongs to.

    A task is a user, a patient or a device, for example: each has its own dependence of
    `y` on `x`. An episode is one task: some of its examples are the support set, others
    the query set.

    Args:
        name: The split's name, "train", "val" or "test". The episodes depend on it, so
            the three splits have different streams.
        x: `(examples, *example_shape)`, or a dict or a tuple of such arrays.
        y: `(examples, ...)` float targets, kept as float32. `(examples,)` becomes
            `(examples, 1)`, so that it fits a net with one output.
        tasks: `(examples,)` integers in `0..len(task_names)-1`, sorted: the task that
            each example belongs to.
        task_names: One unique name for each task.

    Raises:
        ValueError: Where the arrays do not fit together, or a target is not finite.

    Example:
        >>> import numpy as np
        >>> x, y = np.zeros((5, 3)), np.arange(5.0)
        >>> split = TaskSplit("train", x, y, np.int32([0, 0, 1, 1, 1]), ("ann", "bo"))
        >>> split.num_tasks, split.counts.tolist(), split.y.shape
        (2, [2, 3], (5, 1))
    """

    name: str
    x: Any
    y: np.ndarray
    tasks: np.ndarray
    task_names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", as_arrays(self.x))
        object.__setattr__(self, "y", finite_targets(self.y))
        object.__setattr__(self, "tasks", np.asarray(self.tasks))
        object.__setattr__(self, "task_names", tuple(map(str, self.task_names)))
        check_lengths(self.x, self.y, self.name)
        if len(self._groups.ids) != len(self.y):
            raise ValueError(
                f"tasks of split {self.name!r} must name the task of each of the "
                f"{len(self.y)} examples. Received: {len(self.tasks)} entries."
            )

    @functools.cached_property
    def _groups(self) -> Groups:
        return Groups(
            self.tasks, self.task_names, kind="task", column="tasks", part=self.name
        )

    @property
    def num_tasks(self) -> int:
        """The number of tasks."""
        return len(self.task_names)

    @property
    def targets(self) -> Targets:
        """The kind of `y`: values."""
        return Values()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Empty, because tasks of values have no classes."""
        return ()

    @property
    def group_names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return self.task_names

    @property
    def counts(self) -> np.ndarray:
        """The number of examples of each task, `(num_tasks,)` int64."""
        return self._groups.counts

    @property
    def starts(self) -> np.ndarray:
        """The first example id of each task, `(num_tasks,)` int64."""
        return self._groups.starts

    @property
    def example_shape(self) -> Any:
        """The shape of one example; a nest where `x` is one."""
        return example_shape(self.x)

    @property
    def dtype(self) -> Any:
        """The dtype of the examples; a nest where `x` is one."""
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
        way: Range | None = None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes the sampler of the split's episodes; see `tfmeta.data.episodes`.

        Args:
            way: Always None, because a task of values has no classes.
            shot: The number of support examples of a task, or a range.
            query: The number of query examples of a task; None takes all that the
                support leaves.
            seed: Another seed draws other episodes.
            unequal_shots: Whether each task draws its own shot from the range.

        Returns:
            The sampler.

        Raises:
            ValueError: If a way is given, or a task has too few examples.
        """
        if way is not None:
            raise ValueError(
                f"The tasks of part {self.name!r} have values, not classes, so way "
                f"must be None. Received: way={way}. Leave it out."
            )
        largest = EpisodeSampler(
            self, way=1, shot=bounds("shot", shot)[1], query=query, seed=seed
        )
        return in_ranges(
            largest, way=1, shot=shot, query=query, unequal_shots=unequal_shots
        )


def finite_targets(y: Any, name: str = "y") -> np.ndarray:
    """Reads float targets.

    Args:
        y: `(examples, ...)` numbers.
        name: Errors call `y` by this name.

    Returns:
        float32, `(examples, ...)`, or `(examples, 1)` where `y` is a vector.

    Raises:
        ValueError: If `y` holds no numbers, or one is NaN or infinite in float32.
    """
    y = np.asarray(y)
    if y.dtype.kind not in "biuf" or y.ndim < 1:
        raise ValueError(
            f"{name} must hold numbers, one or more for each example. Received: shape "
            f"{y.shape}, dtype {y.dtype}. Convert it."
        )
    with np.errstate(over="ignore"):  # What overflows is refused below.
        y = y.astype(np.float32, copy=False)
    whole = np.isfinite(y).all(axis=tuple(range(1, y.ndim)))
    if not whole.all():
        raise ValueError(
            f"{name} must hold finite numbers. Received: NaN or infinite targets of "
            f"{int(np.sum(~whole))} of {len(y)} examples, the first of number "
            f"{int(np.argmin(whole))}. Leave these examples out."
        )
    return y[:, np.newaxis] if y.ndim == 1 else y
