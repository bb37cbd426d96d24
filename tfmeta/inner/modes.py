"""Where a net's normalisation takes its statistics from: the modes of a body.

Layers know only `training`; what a mode does is told with it.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar

from tfmeta import keras_internals
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.options import Options
from tfmeta.layers import BatchNorm


class Mode(abc.ABC):
    """How a body runs a support set, and how it runs queries; abstract.

    Attributes:
        name: What the mode is called where it is given as text.
        served_random: Whether random layers would be on in a served answer.
        keeps: Whether the statistics of a support set are the moving averages to come,
            which training averages over tasks and assigns.
        joint: Whether the support set's own statistics are in an adapted task, so that
            it cannot be extended.
    """

    name: ClassVar[str]
    served_random: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    joint: ClassVar[bool] = True

    def check(self, body: Any) -> None:
        """Refuses a body that cannot run in this mode."""
        return None

    def has_state(self, options: Options) -> bool:
        """Whether `support` gives statistics under these options."""
        return False

    @abc.abstractmethod
    def support(
        self, body: Any, x: Nest, options: Options, params: list[Tensor] | None
    ) -> tuple[Nest, list[Tensor]]:
        """Runs a support set; returns the outputs and the statistics for queries."""

    @abc.abstractmethod
    def query(
        self,
        body: Any,
        x: Nest,
        statistics: list[Tensor],
        options: Options,
        params: list[Tensor] | None,
    ) -> Nest:
        """Runs queries; returns the outputs."""


class NoStatistics(Mode):
    """Of a net that keeps no statistics: support set and queries run alike."""

    name = "none"
    joint = False

    def support(self, body, x, options, params):
        """Runs the net; see `Mode.support`."""
        z, _ = body.run(x, options, params, training=options.training)
        return z, []

    def query(self, body, x, statistics, options, params):
        """Runs the net; see `Mode.query`."""
        return body.run(x, options, params, training=options.training)[0]


class Running(Mode):
    """Each batch's own statistics in training, moving averages afterwards."""

    name = "running"
    keeps = True
    joint = False

    def has_state(self, options):
        """In training alone."""
        return options.training

    def support(self, body, x, options, params):
        """Runs the net; the statistics are averages to come; see `Mode.support`."""
        z, after = body.run(x, options, params, training=options.training)
        return z, after if options.training else []

    def query(self, body, x, statistics, options, params):
        """Runs the net; see `Mode.query`."""
        return body.run(x, options, params, training=options.training)[0]


class OwnBatch(Mode):
    """The statistics of each call's own batch: queries are normalised together."""

    name = "task"
    served_random = True

    def support(self, body, x, options, params):
        """Runs the net by the support set's statistics; see `Mode.support`."""
        return body.run(x, options, params, training=True)[0], []

    def query(self, body, x, statistics, options, params):
        """Runs the net by the queries' statistics; see `Mode.query`."""
        return body.run(x, options, params, training=True)[0]


class OfSupport(Mode):
    """The support set's own statistics, for the queries too."""

    name = "support"
    served_random = True

    def check(self, body):
        """Refuses averages that one batch does not fill, as stock Keras' are."""
        known = {
            id(variable)
            for layer in keras_internals.descendants(body.net)
            if isinstance(layer, BatchNorm)
            for variable in layer.variables
        }
        unknown = [v.path for v in body.statistics if id(v) not in known]
        if unknown:
            raise ValueError(
                "normalisation='support' needs tfmeta.layers.BatchNorm, whose "
                "statistics one batch can set. Received: a net with the moving "
                f"statistics {', '.join(unknown)}. Replace stock layers by "
                "tfmeta.layers.swap_inexact(net), or use normalisation='running'."
            )

    def has_state(self, options):
        """Always."""
        return True

    def support(self, body, x, options, params):
        """Starts from empty averages, which the set then fills; see `Mode.support`."""
        return body.run(
            x, options, params, training=True, statistics=body.empty_statistics()
        )

    def query(self, body, x, statistics, options, params):
        """Runs by the support set's statistics; see `Mode.query`."""
        return body.run(x, options, params, training=False, statistics=statistics)[0]


MODES = {mode.name: mode for mode in (OfSupport(), OwnBatch(), Running())}
