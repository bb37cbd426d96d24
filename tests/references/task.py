"""What references take and give, and the losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = Any  # A NumPy array, or for examples of two parts a dict of them.
TINY = 1e-30


class State(NamedTuple):
    """What a learner has learned before it sees a task.

    Attributes:
        params: The net's weights, in the order of its layers.
        moving: For each normalisation layer the sums of means and of variances, and the
            sum of the weights that both were given.
        others: Further weights by name: "rates" of a rule, "carried", what a rule left
            after earlier tasks, and the recurrent nets "forwards", "backwards" and
            "reader".
    """

    params: list[np.ndarray]
    moving: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    others: dict[str, list[np.ndarray]]


class Task(NamedTuple):
    """One task; `y` is integer labels or float values."""

    support_x: Array
    support_y: np.ndarray
    query_x: Array
    query_y: np.ndarray


class Answer(NamedTuple):
    """What a method makes of a task.

    Attributes:
        outputs: Of the queries: logits, -inf for absent classes, or values.
        loss: The queries' mean loss.
        moving: The moving statistics after the task, where training keeps some.
        path: The adapted weights before the first step and after each.
        gradient: The gradient of `loss` at the last weights of the path.
        carried: What the rule leaves to the next task, where training keeps it.
    """

    outputs: np.ndarray
    loss: float
    moving: list[tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None
    path: list[list[np.ndarray]] | None = None
    gradient: Callable[[], list[np.ndarray]] | None = None
    carried: list[np.ndarray] | None = None


Reference = Callable[..., Answer]  # Of a State, a Task, and whether it is training.


def has_labels(y: np.ndarray) -> bool:
    return y.dtype.kind == "i"


def way_of(y: np.ndarray) -> int:
    return int(max(y)) + 1


def present(y: np.ndarray) -> list[int]:
    """The classes that have examples."""
    return sorted(set(y.tolist()))


def only_present(logits: np.ndarray, support_y: np.ndarray) -> np.ndarray:
    """The logits with -inf for classes without support examples."""
    found = np.full(logits.shape, -np.inf)
    for c in present(support_y):
        found[:, c] = logits[:, c]
    return found


def loss_of(outputs: np.ndarray, y: np.ndarray, support_y: np.ndarray) -> Any:
    """Mean squared error of values, or mean cross-entropy among present classes."""
    if not has_labels(y):
        return np.mean((outputs - y) ** 2)
    total = 0.0
    for row, label in zip(outputs, y, strict=True):
        of_present = row[present(support_y)]
        top = max(of_present.real)
        total -= row[label] - top - np.log(np.sum(np.exp(of_present - top)))
    return total / len(y)


def gradient(loss: Callable, params: list[np.ndarray]) -> list[np.ndarray]:
    """The gradient by complex steps: f(x + ih) = f(x) + ih f'(x), exact for tiny h.

    One evaluation a number, and no formula of a derivative to get wrong.
    """
    found = []
    for place, param in enumerate(params):
        slopes = np.zeros(param.shape)
        for index in np.ndindex(param.shape):
            moved = list(params)
            moved[place] = param.astype(complex)
            moved[place][index] += 1j * TINY
            slopes[index] = loss(moved).imag / TINY
        found.append(slopes)
    return found
