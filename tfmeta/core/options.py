"""The options that a caller hands to a learner's verbs, `adapt` and `predict`."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.keys import fold


@dataclasses.dataclass(frozen=True)
class Options:
    """The circumstances under which a learner's verb runs for one task.

    Options are made for each task, inside the function that `map_tasks` maps, so that
    their tensors belong to that task.

    Attributes:
        training: Whether the learner is being meta-trained.
        steps: The number of inner steps, for learners that take inner steps; None for
            the learner's own number.
        seed: Scalar integer tensor from which all random draws of the task derive; None
            where nothing is drawn.
        outer_step: Scalar integer tensor, the number of outer steps done so far; None
            outside training.
        task: The task's descriptor, a nest of tensors (`task_x` of a batch); () where
            tasks have none.
        layer_losses: Where a net's forward pass puts the losses that its layers add by
            `add_loss` or an activity regulariser, see `collecting`; None drops them.
        loss_scale: Scalar tensor by which a loss is multiplied before its gradients are
            taken, so that half precision can hold them. Afterwards they are divided by
            it. None for no scale.
    """

    training: bool = False
    steps: int | None = None
    seed: Tensor | None = None
    outer_step: Tensor | None = None
    task: Nest = ()
    layer_losses: list[Tensor] | None = None
    loss_scale: Tensor | None = None

    def fold(self, purpose: str, number: Tensor | int = 0) -> Options:
        """The same options with another seed, for a further draw within the task.

        Args:
            purpose: A name for what is drawn, such as "inner step".
            number: The number of the draw, an integer or a scalar integer tensor.

        Returns:
            New options.
        """
        return dataclasses.replace(self, seed=fold(self.seed, purpose, number))

    def collecting(self) -> Options:
        """The same options, with an empty list for the losses that layers add.

        Code that minimises a loss runs the net under these options. In the same graph
        it then calls `collected`, which adds the layers' losses to that loss.
        """
        return dataclasses.replace(self, layer_losses=[])

    def dropping(self) -> Options:
        """The same options, under which the losses that layers add are dropped."""
        return dataclasses.replace(self, layer_losses=None)

    def collected(self, loss: Tensor) -> Tensor:
        """A loss plus the losses that layers have added since `collecting`.

        Args:
            loss: A scalar.

        Returns:
            A scalar of the same dtype.
        """
        for each in self.layer_losses or ():
            loss += tf.cast(each, loss.dtype)
        return loss
