"""The size of the episodes that a model is trained or validated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfmeta.core import Episode, Labels, Options, Values
from tfmeta.core.renamed import renamed_arguments
from tfmeta.data import Part, episodes
from tfmeta.data.part import Range
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.learners import Learner


@renamed_arguments(count="tasks")
@dataclass(frozen=True)
class Stream:
    """The size of the episodes of a stream, and their number in a step.

    Attributes:
        way: The number of classes in an episode, or a range; None where tasks have no
            classes.
        shot: The number of support examples per class, or a range.
        query: The number of queries per class.
        tasks: The number of tasks in an outer step; for validation, the number of
            episodes in all.
        unequal_shots: Whether each class draws its own shot from the range.
    """

    way: Range | None
    shot: Range
    query: int
    tasks: int
    unequal_shots: bool = False
    unit = "tasks"

    @property
    def per_step(self) -> int:
        """The number of draws in a step, which are its tasks."""
        return self.tasks

    def check(
        self, part: Part, learner: Learner, *, prepare: Any = None, seed: int = 0
    ) -> None:
        """Refuses episodes that the part does not have or the learner cannot serve.

        Args:
            part: The part that the episodes are drawn from.
            learner: The learner that shall learn from the episodes.
            prepare: How raw examples become what the learner takes; None for the part's
                own preparation.
            seed: The seed of the episodes.

        Raises:
            ValueError: If the episodes are refused; the error says why.
        """
        if self.tasks < 1:
            raise ValueError(
                f"A stream's tasks must be at least 1. Received: {self.tasks}."
            )
        self._sampler(part, seed)
        if isinstance(part.targets, Values):
            self._check_values(part, learner, prepare or part.prepare)
            return
        ways = (self.way,) if isinstance(self.way, int) else self.way or (1,)
        way = max(ways)
        if learner.max_way is not None and way > learner.max_way:
            raise ValueError(
                f"way={way} on split {part.name!r} needs a head of {way} outputs, "
                f"but the net has {learner.max_way}. Lower way, or use a net without a "
                "head."
            )

    def episodes(
        self, part: Part, *, seed: int, start: int = 0, augment: Any = None
    ) -> tf.data.Dataset:
        """An endless dataset of batches of tasks; see `tfmeta.data.episodes`."""
        return episodes(
            part,
            way=self.way,
            shot=self.shot,
            query=self.query,
            tasks=self.tasks,
            seed=seed,
            start=start,
            augment=augment,
            unequal_shots=self.unequal_shots,
        )

    def single(self) -> dict[str, Any]:
        """Way, shot and query as the keyword arguments of `tfmeta.evaluate`.

        Raises:
            ValueError: If one of the three is a range: scores of episodes of different
                sizes have no common mean.
        """
        asked = {"way": self.way, "shot": self.shot, "query": self.query}
        for name, value in asked.items():
            if isinstance(value, list | tuple):
                raise ValueError(
                    f"Validation needs one {name}. Received: the range {value}."
                )
        return asked

    def asked(self) -> dict[str, Any]:
        """What `tfmeta.evaluate` is told of episodes: their size, and how many.

        Raises:
            ValueError: As for `single`.
        """
        return {**self.single(), "episodes": self.tasks}

    def _sampler(self, part: Part, seed: int) -> Any:
        return part.sampler(
            way=self.way,
            shot=self.shot,
            query=self.query,
            seed=seed,
            unequal_shots=self.unequal_shots,
        )

    def _check_values(self, part: Part, learner: Learner, prepare: Any) -> None:
        """Tries one episode to find out whether the learner takes float targets."""
        refused = (
            "Tasks that have values need a learner of values, such as maml around a "
            f"net with one output. Received: {type(learner).__name__}, which"
        )
        if isinstance(learner.targets, Labels):
            raise ValueError(f"{refused} learns classes.")
        zero = tf.zeros((1,), tf.int64)
        x, y = self._sampler(part, 0).batch(zero, zero[0])
        x = as_preparation(prepare, learner.inputs).batch(x)
        task = tf.nest.map_structure(lambda t: t[0], Episode.from_batch(x, y))
        try:
            learner.loss(task, Options(training=True))
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ValueError(f"{refused} fails on them ({error}).") from error
