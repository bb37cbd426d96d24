"""Where a net's normalisation takes its statistics from, in support and in query."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Tensor

NORMALISATIONS = ("support", "task", "running")
_OF_QUERIES = -1  # Their dropout masks are not those of the support set.


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
        ValueError: If there is no such mode, if the net is not built, if it has
            random layers (dropout) in a mode that would leave them on when served,
            or if `support` cannot get at the support set's statistics.
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
        self._is_moving = functional.moving(net)
        moving = [
            v
            for v, moves in zip(
                net.non_trainable_variables, self._is_moving, strict=True
            )
            if moves
        ]
        self.statistics = [v for v in moving if tf.as_dtype(v.dtype).is_floating]
        self.mode = mode if self.statistics else "none"
        if self.mode == "support":
            self._check_statistics()
        if len(self.statistics) < len(moving) and self.mode in ("support", "task"):
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
            empty = functional.empty_state(self.net, self._is_moving)
            return functional.call(self.net, params, empty, x, training=True)
        now = self._seeded(seed)
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
        now = self._seeded(functional.folded(seed, _OF_QUERIES))
        batch = training or self.mode == "task"
        return functional.call(self.net, params, now, x, training=batch)[0]

    def _seeded(self, seed) -> list[Tensor]:
        return functional.seeded(functional.state(self.net), seed, self._is_moving)

    def new_statistics(self, state: list[Tensor]) -> list[Tensor]:
        """Picks from a state what belongs to `statistics`.

        Args:
            state: What `support` returned.

        Returns:
            A tensor for each of `statistics`; none of an empty state.
        """
        if not state:
            return []
        return [
            v
            for v, moves in zip(state, self._is_moving, strict=True)
            if moves and v.dtype.is_floating
        ]

    def _check_statistics(self) -> None:
        """Refuses averages that one batch does not fill, as stock BatchNormalization's.

        `tfmeta.layers.BatchNorm` divides by the `weight` its averages were given.
        """
        layers = self.net._flatten_layers()  # noqa: SLF001  Keras has no public name.
        known = {
            id(v)
            for layer in layers
            if hasattr(layer, "moving_mean") and hasattr(layer, "weight")
            for v in layer.variables
        }
        unknown = [v.path for v in self.statistics if id(v) not in known]
        if unknown:
            raise ValueError(
                "normalisation='support' needs tfmeta.layers.BatchNorm, whose "
                "statistics one batch can set. Received: a net with the moving "
                f"statistics {', '.join(unknown)}. Replace stock layers by "
                "tfmeta.layers.swap_inexact(net), or use normalisation='running'."
            )
