"""Methods that take gradient steps on a support set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from references.nets import averaged_in, averages
from references.rules import Rule, adam, gradient_descent, second_moments
from references.task import (
    Answer,
    State,
    Task,
    gradient,
    has_labels,
    loss_of,
    only_present,
    present,
    way_of,
)


@dataclass(frozen=True)
class Descent:
    """Steps against the gradient of the support loss, then an answer.

    Attributes:
        net: The net, see `references.nets`.
        rule: The update after each gradient, see `references.rules`.
        steps: The number of steps in training.
        served: The number of steps when served; None for `steps`.
        mode: "support", "task" or "running".
        head: "net"; or the layer made for each task, "prototypes" or "zeros".
        adapts: The places of the net's weights that adapt; None for all.
        batch: The size of a minibatch; None for all examples.
        carry: What the rule leaves to the next task, of the gradients and the state.
    """

    net: Callable
    rule: Rule
    steps: int
    served: int | None = None
    mode: str = "support"
    head: str = "net"
    adapts: tuple[int, ...] | None = None
    batch: int | None = None
    carry: Callable | None = None

    def __call__(self, state: State, task: Task, training: bool = False) -> Answer:
        steps = self.steps if training or self.served is None else self.served
        params, history = self._start(state, task, training), []
        path = [params]
        for step in range(steps):
            rows = self._rows(task.support_y, step)

            def inner(params, rows=rows):
                x, y = _taken(task.support_x, rows), task.support_y[rows]
                z, _ = self._run(state, params, x, training)
                return loss_of(z, y, task.support_y)

            history.append(gradient(inner, params))
            moves = self.rule(history, state)
            params = [p + m for p, m in zip(params, moves, strict=True)]
            path.append(params)
        outputs, batch = self._answered(state, params, task, training)
        loss = loss_of(outputs, task.query_y, task.support_y)
        if has_labels(task.support_y):
            outputs = only_present(outputs, task.support_y)
        keeps = training and self.mode == "running"

        def outer(params):
            outputs, _ = self._answered(state, params, task, training)
            return loss_of(outputs, task.query_y, task.support_y)

        return Answer(
            outputs,
            loss,
            averaged_in(state.moving, batch) if keeps else None,
            path,
            lambda: gradient(outer, params),
            self.carry(history, state) if training and self.carry else None,
        )

    def _start(self, state: State, task: Task, training: bool) -> list[np.ndarray]:
        """The weights that adapt, then those of a head that is made."""
        start = [state.params[place] for place in self._places(state)]
        if self.head == "net":
            return start
        way = way_of(task.support_y)
        z, _ = self._embedded(state, state.params, task.support_x, training)
        kernel, bias = np.zeros((z.shape[1], way)), np.zeros(way)
        if self.head == "prototypes":
            for c in present(task.support_y):
                mean = np.mean(z[task.support_y == c], 0)
                kernel[:, c], bias[c] = 2 * mean, -(mean @ mean)
        return [*start, kernel, bias]

    def _places(self, state: State) -> list[int]:
        everywhere = range(len(state.params))
        return list(everywhere if self.adapts is None else self.adapts)

    def _embedded(self, state, weights, x, training, given=None):
        """The net's outputs; the batch normalises itself where nothing is given."""
        if self.mode == "running" and not training:
            given = averages(state.moving)
        return self.net(weights, x, given)

    def _run(self, state, params, x, training, given=None):
        """The outputs under adapted weights, and the statistics of the batch."""
        weights, places = list(state.params), self._places(state)
        for place, param in zip(places, params, strict=False):
            weights[place] = param
        z, batch = self._embedded(state, weights, x, training, given)
        if self.head != "net":
            kernel, bias = params[len(places) :]
            z = z @ kernel + bias
        return z, batch

    def _answered(self, state, params, task, training):
        """The queries' outputs, and the statistics of the support set."""
        _, batch = self._run(state, params, task.support_x, training)
        given = batch if self.mode == "support" else None
        outputs, _ = self._run(state, params, task.query_x, training, given)
        return outputs, batch

    def _rows(self, y: np.ndarray, step: int) -> list[int]:
        """The examples of a step: in turns of the classes, round and round."""
        if self.batch is None:
            return list(range(len(y)))
        turns = [0] * len(y)
        if has_labels(y):
            turns = [list(y[:i]).count(label) for i, label in enumerate(y)]
        order = sorted(range(len(y)), key=lambda i: (turns[i], i))
        size = min(self.batch, len(y))
        return [order[(step * size + i) % len(y)] for i in range(size)]


def _taken(x, rows):
    if isinstance(x, dict):
        return {name: part[rows] for name, part in x.items()}
    return x[rows]


def maml(net, *, steps=1, rate=0.4, rule=None, **others) -> Descent:
    """Finn et al. 2017: one step of rate 0.4, as for Omniglot.

    Proto-MAML (Triantafillou et al. 2020) makes the head from prototypes c: weights 2c
    and bias -|c|^2. ANIL (Raghu et al. 2020) adapts the head alone. Meta-SGD (Li et al.
    2017) learns the rates.
    """
    return Descent(net, rule or gradient_descent(rate), steps, **others)


def reptile(
    net, *, steps=5, rate=0.001, rule=None, served=50, batch=10, **others
) -> Descent:
    """Nichol et al. 2018: for Omniglot 5 steps on minibatches of 10 in training and 50
    in evaluation, by Adam of rate 0.001 without a first moment, whose second moments
    go on from task to task."""
    if rule is None:
        rule, others["carry"] = adam(rate, beta_1=0.0), second_moments
    return Descent(net, rule, steps, served, batch=batch, **others)


def fine_tune(net, *, steps=50, rate=0.01, rule=None, head="zeros", **others):
    """Chen et al. 2019, of all weights: gradient descent of rate 0.01."""
    rule = rule or gradient_descent(rate)
    return Descent(net, rule, steps, mode="running", head=head, **others)


def linear_probe(net, *, steps=100, rate=0.01, rule=None, **others) -> Descent:
    """Chen et al. 2019, Baseline: 100 steps of a new layer on frozen embeddings."""
    rule, mode = rule or adam(rate), "running"
    return Descent(net, rule, steps, mode=mode, head="zeros", adapts=(), **others)


def from_scratch(net, *, steps=10, rate=0.1, rule=None, **others) -> Descent:
    """Gradient descent from random weights, which the state holds."""
    return Descent(net, rule or gradient_descent(rate), steps, **others)
