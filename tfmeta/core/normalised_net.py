"""Where a net's normalisation takes its statistics from, in support and in query."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Tensor

NORMALISATIONS = ("support", "task", "running")


class NormalisedNet:
    """A net's forward passes under one normalisation mode.

    Layers know only `training`; the mode is the learner's:

    * `support`: the support set's own statistics, for the queries too. A query's
      answer depends on no other query.
    * `task`: the statistics of each call's own batch. Transductive: queries are
      normalised together.
    * `running`: each batch's own in training, moving averages over the support sets
      seen in training afterwards.

    A net without such statistics behaves alike in all three.

    Args:
        net: A built Keras model.
        mode: One of `NORMALISATIONS`.

    Raises:
        ValueError: If there is no such mode, if the net is not built, or if it has
            random layers (dropout) in a mode that would leave them on when served.
    """

    def __init__(self, net: keras.Model, mode: str):
        if mode not in NORMALISATIONS:
            raise ValueError(
                f"normalisation must be one of {', '.join(NORMALISATIONS)}. "
                f"Received: {mode!r}."
            )
        if not net.built:
            raise ValueError(
                f"The net {net.name!r} must be built before a learner takes it. Give "
                "it an Input layer, or call it once."
            )
        self.net = net
        floats = [
            tf.as_dtype(v.dtype).is_floating for v in net.non_trainable_variables
        ]
        self.mode = mode if any(floats) else "none"
        if not all(floats) and self.mode in ("support", "task"):
            raise ValueError(
                f"The net {net.name!r} has random layers such as Dropout, which "
                f"normalisation={mode!r} would leave on in evaluation. Use "
                'normalisation="running", or LayerNorm or GroupNorm in place of '
                "BatchNorm, or take the random layers out."
            )

    def support(
        self, params: list[Tensor], x: Tensor, *, training: bool, seed=None
    ) -> tuple[Tensor, list[Tensor]]:
        """Runs a support set through the net.

        Args:
            params: One tensor for each of the net's trainable variables.
            x: `(examples, ...)`.
            training: Whether the learner is being meta-trained.
            seed: Scalar integer for dropout, or None.

        Returns:
            The outputs `(examples, ...)`, and the state to hand to `query`: empty
            where queries do not need one.
        """
        if self.mode == "support":
            empty = functional.empty_state(self.net)
            return functional.call(self.net, params, empty, x, training=True)
        now = functional.seeded(functional.state(self.net), seed)
        batch = training or self.mode == "task"
        outputs, after = functional.call(self.net, params, now, x, training=batch)
        return outputs, after if training and self.mode == "running" else []

    def query(
        self,
        params: list[Tensor],
        state: list[Tensor],
        x: Tensor,
        *,
        training: bool,
        seed=None,
    ) -> Tensor:
        """Runs queries through the net.

        Args:
            params: One tensor for each of the net's trainable variables.
            state: What `support` returned.
            x: `(queries, ...)`.
            training: Whether the learner is being meta-trained.
            seed: Scalar integer for dropout, or None.

        Returns:
            The outputs, `(queries, ...)`.
        """
        if self.mode == "support":
            return functional.call(self.net, params, state, x, training=False)[0]
        now = functional.seeded(functional.state(self.net), seed)
        batch = training or self.mode == "task"
        return functional.call(self.net, params, now, x, training=batch)[0]
