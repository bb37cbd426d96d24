"""One part of a data set whose tasks are given, for regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmeta.core.targets import Targets, Values
from tfmeta.data.grouped_part import GroupedPart
from tfmeta.data.nested import as_arrays
from tfmeta.data.sampling.episode_sampler import EpisodeSampler
from tfmeta.data.sampling.groups import Groups, check_lengths
from tfmeta.data.sampling.ranges import bounds, in_ranges
from tfmeta.data.sampling.sampler import Range, Sampler
from tfmeta.data.stores.store import Store


class TaskSplit(GroupedPart):
    """Examples with float targets, grouped by the task that each belongs to.

    A task is a user, a patient or a device, for example: each has its own dependence of
    `y` on `x`. An episode is one task: some of its examples are the support set, others
    the query set.

    Args:
        name: The split's name, "train", "val" or "test". The episodes depend on it, so
            the three splits have different streams.
        x: `(examples, *example_shape)`, or a dict or a tuple of such arrays. Or a
            `Store` that holds the examples.
        y: `(examples, ...)` float targets, kept as float32. `(examples,)` becomes
            `(examples, 1)`, so that it fits a net with one output.
        tasks: `(examples,)` integers in `0..len(task_names)-1`, sorted: the task that
            each example belongs to.
        task_names: One unique name for each task.
        rows: The places of the examples in `x`, `(examples,)`, so that several splits
            may share a store; None if the split has all of `x`, in its order.
        prepare: A Keras layer by which an example becomes what a net takes; None
            divides pictures by 255, and leaves all else as it is.
        disjoint: What no two splits of the source share: "tasks", or "examples".

    Raises:
        ValueError: Where the arrays do not fit together, or a target is not finite.

    Example:
        >>> import numpy as np
        >>> x, y = np.zeros((5, 3)), np.arange(5.0)
        >>> split = TaskSplit("train", x, y, np.int32([0, 0, 1, 1, 1]), ("ann", "bo"))
        >>> split.num_tasks, split.counts.tolist(), split.y.shape
        (2, [2, 3], (5, 1))
    """

    def __init__(
        self,
        name: str,
        x: Any,
        y: np.ndarray,
        tasks: np.ndarray,
        task_names: Sequence[str],
        *,
        rows: np.ndarray | None = None,
        prepare: Any = None,
        disjoint: str = "tasks",
    ):
        self.y, self.tasks = finite_targets(y), np.asarray(tasks)
        names = tuple(map(str, task_names))
        x = x if isinstance(x, Store) else as_arrays(x)
        check_lengths(x, rows, self.y, name)
        groups = Groups(self.tasks, names, kind="task", column="tasks", part=name)
        if len(self.tasks) != len(self.y):
            raise ValueError(
                f"tasks of split {name!r} must name the task of each of the "
                f"{len(self.y)} examples. Received: {len(self.tasks)} entries."
            )
        super().__init__(
            name,
            x,
            groups,
            values=self.y,
            rows=rows,
            prepare=prepare,
            disjoint=disjoint,
        )

    @property
    def num_tasks(self) -> int:
        """The number of tasks."""
        return len(self.task_names)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return self.groups.names

    @property
    def class_names(self) -> tuple[str, ...]:
        """Empty, because tasks of values have no classes."""
        return ()

    @property
    def targets(self) -> Targets:
        """The kind of `y`: values."""
        return Values()

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
                f"way={way} asks for classes, but the tasks of part {self.name!r} "
                "have values, not classes. Leave out way."
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
