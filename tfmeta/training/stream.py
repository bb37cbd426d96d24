"""What episodes a model is trained or validated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfmeta.core import Episode
from tfmeta.data import Part, episodes
from tfmeta.data.part import Range
from tfmeta.learners import Learner


@dataclass(frozen=True)
class Stream:
    """The shape of a stream of episodes.

    Attributes:
        way: Classes in an episode, or a range; None where tasks are functions.
        shot: Support examples per class, or a range.
        query: Queries per class.
        count: Tasks in an outer step, or episodes in a validation.
        unequal_shots: Whether each class draws its own shot.
    """

    way: Range | None
    shot: Range
    query: int
    count: int
    unequal_shots: bool = False

    def check(self, part: Part, learner: Learner, *, seed: int = 0) -> None:
        """Refuses episodes that there are not, or that the learner cannot serve.

        Args:
            part: Where they are drawn from.
            learner: Who shall learn from them.
            seed: Of the episodes.

        Raises:
            ValueError: If so; it says why.
        """
        if self.count < 1:
            raise ValueError(f"A stream's count must be at least 1. Got: {self.count}.")
        self._sampler(part, seed)
        if self.way is None:
            self._check_regression(part, learner)
            return
        way = self.way if isinstance(self.way, int) else max(self.way)
        if learner.max_way is not None and way > learner.max_way:
            raise ValueError(
                f"way={way} on split {part.name!r} needs a head of as many outputs, "
                f"but the net has {learner.max_way}. Lower way, or use a net without a "
                "head."
            )

    def episodes(
        self, part: Part, *, seed: int, start: int = 0, augment: Any = None
    ) -> tf.data.Dataset:
        """The batches of `count` tasks, without end; see `tfmeta.data.episodes`."""
        return episodes(
            part,
            way=self.way,
            shot=self.shot,
            query=self.query,
            tasks=self.count,
            seed=seed,
            start=start,
            augment=augment,
            unequal_shots=self.unequal_shots,
        )

    def single(self) -> dict[str, Any]:
        """Way, shot and query as `tfmeta.evaluate` takes them.

        Raises:
            ValueError: If one of them is a range: scores of different sizes have no
                common mean.
        """
        asked = {"way": self.way, "shot": self.shot, "query": self.query}
        for name, value in asked.items():
            if isinstance(value, list | tuple):
                raise ValueError(
                    f"Validation needs one {name}. Received: the range {value}."
                )
        return asked

    def _sampler(self, part: Part, seed: int) -> Any:
        return part.sampler(
            way=self.way,
            shot=self.shot,
            query=self.query,
            seed=seed,
            unequal_shots=self.unequal_shots,
        )

    def _check_regression(self, part: Part, learner: Learner) -> None:
        """Finds out by a trial whether the learner takes float targets."""
        batch = self._sampler(part, 0).batch(tf.zeros((1,), tf.int64))
        task = tf.nest.map_structure(lambda t: t[0], Episode.from_batch(*batch))
        try:
            learner.loss(task)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ValueError(
                "Tasks that are functions need a learner of float targets, such as "
                "maml around a net with one output. Received: "
                f"{type(learner).__name__}, which fails on them ({error})."
            ) from error
