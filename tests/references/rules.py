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
    epsilon is added under the root, as a square."""

    def mean(values, beta):
        last = len(values) - 1
        total = sum(beta ** (last - i) * value for i, value in enumerate(values))
        return (1 - beta) * total / (1 - beta ** len(values))

    def rule(history, state):
        moves = []
        for place in range(len(history[0])):
            grads = [step[place] for step in history]
            first, second = mean(grads, beta_1), mean([g**2 for g in grads], beta_2)
            moves.append(-rate * first / np.sqrt(second + epsilon**2))
        return moves

    return rule


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
