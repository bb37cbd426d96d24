"""What the parts share whose examples are in groups: in classes or in tasks."""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core.targets import Targets
from tfmeta.data.prepare.measured import chunks_of
from tfmeta.data.prepare.preparation import Preparation, as_preparation
from tfmeta.data.sampling.groups import Groups
from tfmeta.data.sampling.sampler import Range, Sampler
from tfmeta.data.stores.memory import MemoryStore
from tfmeta.data.stores.store import Store

DISJOINT = ("classes", "tasks", "examples")


class GroupedPart(abc.ABC):
    """Examples that lie in a store and belong to groups; abstract.

    The parts of a source may share one store: `rows` says which of its examples are the
    part's. The examples of a group are next to each other there.

    Attributes:
        name: The part's name, "train", "val" or "test".
        store: Where the examples lie.
        rows: The place of each example in the store, `(examples,)` int64; None if the
            part has all examples of the store, in its order.
        groups: The group that each example belongs to.
        values: The targets of the examples, `(examples, ...)`; None if an example's
            label is its group's.
        prepare: How an example becomes what a net takes.
        disjoint: What no two parts of the source share: "classes", "tasks" or
            "examples".
        superclasses: The superclass of each group, if the groups of an episode are of
            one; None if they are drawn from all.
    """

    superclasses: tuple[str, ...] | None = None

    def __init__(
        self,
        name: str,
        x: Any,
        groups: Groups,
        *,
        values: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        prepare: Any = None,
        disjoint: str = "classes",
    ):
        self.name, self.groups, self.values = name, groups, values
        self.store = x if isinstance(x, Store) else MemoryStore(x)
        self.rows = None if rows is None else np.asarray(rows, np.int64)
        self.prepare: Preparation = as_preparation(prepare)
        self.disjoint = disjoint
        if disjoint not in DISJOINT:
            raise ValueError(
                f"disjoint must be one of {', '.join(DISJOINT)}. Received: "
                f"{disjoint!r}."
            )

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.groups.ids)

    @property
    @abc.abstractmethod
    def targets(self) -> Targets:
        """The kind of `y`."""

    @abc.abstractmethod
    def sampler(
        self,
        *,
        way: Range | None,
        shot: Range,
        query: int | None = 15,
        seed: int = 0,
        unequal_shots: bool = False,
    ) -> Sampler:
        """Makes the sampler of the part's episodes; see `Part.sampler`."""

    @property
    def x(self) -> Any:
        """All examples in memory, `(examples, ...)`; made anew where it is asked for.

        It is for small data: what draws episodes calls `take`.
        """
        if self.rows is None and isinstance(self.store, MemoryStore):
            return self.store.x
        return self.read(np.arange(len(self)))

    def take(self, ids: tf.Tensor) -> Any:
        """Looks examples up, in the graph or eagerly.

        Args:
            ids: The examples' places in the part, int64 of any shape.

        Returns:
            The examples, `(*ids.shape, *example_shape)`, or a nest of such tensors.
        """
        if self.rows is None:
            return self.store.take(ids)
        return self.store.take(tf.gather(self._rows, ids))

    def read(self, ids: np.ndarray) -> Any:
        """Looks examples up as NumPy arrays; the arguments are those of `take`."""
        return self.store.read(ids if self.rows is None else self.rows[ids])

    def chunks(self) -> Iterator[Any]:
        """The raw examples, some at a time, as nests of tensors `(some, ...)`."""
        return chunks_of(self.store, self.rows)

    @functools.cached_property
    def _rows(self) -> Any:
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.constant(self.rows)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The names of the classes or tasks."""
        return self.groups.names

    @property
    def counts(self) -> np.ndarray:
        """The number of examples of each group, `(groups,)` int64."""
        return self.groups.counts

    @property
    def starts(self) -> np.ndarray:
        """The first example id of each group, `(groups,)` int64."""
        return self.groups.starts

    @property
    def example_shape(self) -> Any:
        """The shape of one example, `(H, W, C)` for images; a nest where `x` is one."""
        return self.store.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the examples, uint8 for images; a nest where `x` is one."""
        return self.store.dtype

    def __repr__(self) -> str:
        """The part's sizes, without its content."""
        many = "tasks" if self.values is not None else "classes"
        return (
            f"{type(self).__name__}({self.name!r}, {len(self.groups.names):,} {many}, "
            f"{len(self):,} examples of {self.example_shape}, {self.store.where})"
        )
