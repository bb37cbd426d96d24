"""What a caller may say to a learner's verbs."""

from __future__ import annotations

import dataclasses

from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.keys import fold


@dataclasses.dataclass(frozen=True)
class Options:
    """The circumstances under which a verb runs for one task.

    It is made for each task, inside the task map, so that its tensors are those of
    the task.

    Attributes:
        training: Whether the learner is being meta-trained.
        steps: The number of inner steps, for learners that take any; None for the
            learner's own number.
        seed: Scalar integer tensor that all random draws of the task derive from; None
            where nothing is drawn.
        outer_step: Scalar integer tensor, the number of outer steps done so far; None
            outside training.
        task: The task's descriptor, a nest of tensors (`task_x` of a batch); () where
            tasks have none.
    """

    training: bool = False
    steps: int | None = None
    seed: Tensor | None = None
    outer_step: Tensor | None = None
    task: Nest = ()

    def fold(self, purpose: str, number: Tensor | int = 0) -> Options:
        """The same options with another seed, for a further draw within the task.

        Args:
            purpose: What is drawn, in words, such as "inner step".
            number: Which draw of this purpose.

        Returns:
            New options.
        """
        return dataclasses.replace(self, seed=fold(self.seed, purpose, number))
