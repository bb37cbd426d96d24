"""Updates of weights from the gradients so far.

A rule takes the gradients of all steps up to now, the last of them this step's, and the
learner's state; it returns what to add to each weight.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from references.task import State

Rule = Callable[[list[list[np.ndarray]], State], list[np.ndarray]]


def gradient_descent(rate: float) -> Rule:
    def rule(history, state):
        return [-rate * g for g in history[-1]]

    return rule


def adam(
    rate: float = 1e-3,
    *,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
) -> Rule:
    """Kingma and Ba 2015, whose running means are written out as sums over the steps;
    epsilon is added under the root, as a square. Second moments start from what the
    state says that earlier tasks left."""

    def mean(values, beta, before=0.0, weight=0.0):
        total, weight = running(values, beta, before, weight)
        return total / weight

    def rule(history, state):
        moves = []
        for place in range(len(history[0])):
            grads = [step[place] for step in history]
            left = ()
            if state.others.get("carried"):
                *before, weight = state.others["carried"]
                left = before[place], weight
            first = mean(grads, beta_1)
            second = mean([g**2 for g in grads], beta_2, *left)
            moves.append(-rate * first / np.sqrt(second + epsilon**2))
        return moves

    return rule


def running(values, beta, before, weight):
    """A running sum over the values, and the sum of their weights in it."""
    last = len(values) - 1
    total = sum(beta ** (last - i) * value for i, value in enumerate(values))
    kept = beta ** len(values)
    return kept * before + (1 - beta) * total, kept * weight + 1 - kept


def second_moments(history, state, beta_2=0.999) -> list[np.ndarray]:
    """What Adam leaves to the next task: the sums of squares, and their weight."""
    *before, weight = state.others["carried"]
    found = []
    for place, old in enumerate(before):
        squares = [step[place] ** 2 for step in history]
        total, after = running(squares, beta_2, old, weight)
        found.append(total)
    return [*found, np.float64(after)]


def learned_rates() -> Rule:
    """Li et al. 2017: a rate for each weight; the classes of a made head share them."""

    def rule(history, state):
        rates = state.others["rates"]
        return [-r * g for r, g in zip(rates, history[-1], strict=True)]

    return rule


def clipped(norm: float, then: Rule) -> Rule:
    """Gradients longer than `norm`, all weights together, are shortened to it."""

    def rule(history, state):
        shortened = []
        for grads in history:
            length = np.sqrt(sum(np.sum(g**2) for g in grads))
            shortened.append([g * min(1, norm / length) for g in grads])
        return then(shortened, state)

    return rule
