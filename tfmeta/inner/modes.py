"""Where a net's normalisation takes its statistics from: the modes of a body.

Keras layers know only the argument `training`. A mode chooses it, and the statistics
that the net starts from, for each support set and for its queries.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Literal, TypeAlias

import keras

from tfmeta import keras_internals
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.options import Options
from tfmeta.core.problems import Problem, listed
from tfmeta.layers import BatchNorm
from tfmeta.layers.adaptable import random_layers
from tfmeta.layers.exact import ADAPTABLE

_OWN = "use tfmeta.layers.BatchNorm in place of layers with statistics of their own"
_RUNNING = 'use normalisation="running"'

ModeName: TypeAlias = Literal["support", "task", "running"]


class Mode(abc.ABC):
    """How a body runs a support set, and how it runs queries; abstract.

    Attributes:
        name: The text that stands for the mode in the argument `normalisation`.
        served_random: Whether random layers would be on in a served answer.
        keeps: Whether `support` returns new moving averages in training, which the
            training loop averages over tasks and assigns.
        joint: Whether the examples of a support set are normalised together when
            served. Further examples cannot extend such an adapted task.
    """

    name: ClassVar[str]
    served_random: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    joint: ClassVar[bool] = True

    def problems(self, body: Any) -> list[Problem]:
        """What keeps a body from running in this mode.

        Args:
            body: A `Body` whose traits are known.
        """
        if not (body.random and self.served_random):
            return []
        layers = [layer.name for layer in random_layers(body.net)]
        fault = (
            f"has random layers ({listed(layers)}), which "
            f"normalisation={self.name!r} would leave on in evaluation"
        )
        return [Problem(fault, (ADAPTABLE,), _RUNNING)]

    def has_state(self, options: Options) -> bool:
        """Whether `support` returns statistics under these options."""
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
    """The mode of a net without statistics: support set and queries run alike."""

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
    """Normalises by each batch's statistics in training, by moving averages later."""

    name = "running"
    keeps = True
    joint = False

    def has_state(self, options):
        """True in training only."""
        return options.training

    def support(self, body, x, options, params):
        """Runs the net; in training, returns new averages; see `Mode.support`."""
        z, after = body.run(x, options, params, training=options.training)
        return z, after if options.training else []

    def query(self, body, x, statistics, options, params):
        """Runs the net; see `Mode.query`."""
        return body.run(x, options, params, training=options.training)[0]


class OwnBatch(Mode):
    """Normalises each batch by the statistics of that batch.

    A task's queries are one batch, so an answer depends on the other queries.
    """

    name = "task"
    served_random = True

    def support(self, body, x, options, params):
        """Runs the net by the support set's statistics; see `Mode.support`."""
        return body.run(x, options, params, training=True)[0], []

    def query(self, body, x, statistics, options, params):
        """Runs the net by the queries' statistics; see `Mode.query`."""
        return body.run(x, options, params, training=True)[0]


class OfSupport(Mode):
    """Normalises support set and queries by the support set's statistics."""

    name = "support"
    served_random = True

    def problems(self, body):
        """Moving averages that one batch cannot set; see `Mode.problems`."""
        known = {
            id(variable)
            for layer in keras_internals.descendants(body.net)
            if isinstance(layer, BatchNorm)
            for variable in layer.variables
        }
        stock = {
            id(variable)
            for layer in keras_internals.descendants(body.net)
            if isinstance(layer, keras.layers.BatchNormalization)
            for variable in layer.variables
        }
        unknown = [v for v in body.statistics if id(v) not in known]
        layers = dict.fromkeys(v.path.rpartition("/")[0] for v in unknown)
        cures = {ADAPTABLE if id(v) in stock else _OWN: None for v in unknown}
        problems = super().problems(body)
        if unknown:
            fault = (
                "has moving statistics outside tfmeta.layers.BatchNorm "
                f"({listed(layers)}), which normalisation='support' cannot set"
            )
            problems.insert(0, Problem(fault, tuple(cures), _RUNNING))
        return problems

    def has_state(self, options):
        """Always True."""
        return True

    def support(self, body, x, options, params):
        """Runs the net from empty averages, which `x` fills; see `Mode.support`."""
        return body.run(
            x, options, params, training=True, statistics=body.empty_statistics()
        )

    def query(self, body, x, statistics, options, params):
        """Runs the net by the support set's statistics; see `Mode.query`."""
        return body.run(x, options, params, training=False, statistics=statistics)[0]


MODES = {mode.name: mode for mode in (OfSupport(), OwnBatch(), Running())}
