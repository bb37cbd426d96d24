"""Whether confidence is right as often as it says; NumPy on logits and labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

# Where a temperature is looked for: beyond, no class or any class is as likely.
_COLDEST, _HOTTEST = 1e-3, 1e3
_HALVINGS = 60


class LabelledLogits(NamedTuple):
    """A classifier's logits for the queries of many episodes, and the true classes.

    Attributes:
        logits: `(queries, classes)`; -inf for a class that is absent.
        labels: `(queries,)` int, the true classes.
    """

    logits: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class ReliabilityBin:
    """The queries whose confidence lies in `low < confidence <= high`.

    Attributes:
        low: Where the bin begins.
        high: Where it ends.
        count: The number of queries in it.
        confidence: Their mean confidence, NaN where there are none.
        accuracy: The share of them that was right, NaN where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far a classifier's probabilities can be believed.

    Attributes:
        ece: Expected calibration error: how far confidence is from accuracy, the mean
            over bins weighted by their counts, in 0..1.
        nll: Negative log-likelihood of the true classes, nats a query.
        temperature: The number that logits were divided by.
        queries: The number of queries.
        table: The `ReliabilityBin`s, of equal width, from 0 to 1.
    """

    ece: float
    nll: float
    temperature: float
    queries: int
    table: tuple[ReliabilityBin, ...]

    def summary(self) -> dict[str, Any]:
        """Plain numbers for JSON; bins without queries are left out of `table`."""
        return {
            "ece": self.ece,
            "nll": self.nll,
            "temperature": self.temperature,
            "queries": self.queries,
            "table": [asdict(each) for each in self.table if each.count],
        }


def reliability(
    labelled: LabelledLogits, *, temperature: float = 1.0, bins: int = 15
) -> Calibration:
    """Compares the confidence of answers with how often they are right.

    Confidence is the probability of the likeliest class.

    Args:
        labelled: Logits and true classes.
        temperature: The number that logits are divided by before the softmax.
        bins: The number of bins, which are of equal width in 0..1.

    Returns:
        The `Calibration`.

    Raises:
        ValueError: If there are no bins, no temperature above zero or no numbers.

    Reference:
        M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities
        Using Bayesian Binning", AAAI 2015; C. Guo, G. Pleiss, Y. Sun, K. Weinberger,
        "On Calibration of Modern Neural Networks", ICML 2017.
        Does not differ from the paper.

    Example:
        >>> logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
        >>> found = reliability(LabelledLogits(logits, np.array([0, 1, 1])), bins=2)
        >>> round(found.ece, 4)  # All in the upper bin: 2.6 / 3 sure, 2 / 3 right.
        0.2
    """
    if bins < 1 or not temperature > 0:
        raise ValueError(
            "bins must be at least 1 and temperature above 0. Received: "
            f"bins={bins}, temperature={temperature}."
        )
    log_p = _log_probabilities(labelled, temperature)
    confidence, right = confidences(labelled, temperature=temperature)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    table = tuple(
        _bin(i / bins, (i + 1) / bins, confidence[place == i], right[place == i])
        for i in range(bins)
    )
    gaps = [b.count * abs(b.accuracy - b.confidence) for b in table if b.count]
    return Calibration(
        ece=sum(gaps) / len(right),
        nll=-float(np.mean(_of_labels(log_p, labelled.labels))),
        temperature=float(temperature),
        queries=len(right),
        table=table,
    )


def confidences(
    labelled: LabelledLogits, *, temperature: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """How sure each answer is, and whether it is right.

    Args:
        labelled: Logits and true classes.
        temperature: The number that logits are divided by before the softmax.

    Returns:
        The probability of the likeliest class, `(queries,)` float64, and whether that
        is the true one, `(queries,)` bool.

    Raises:
        ValueError: If logits are no numbers.
    """
    log_p = _log_probabilities(labelled, temperature)
    return np.exp(log_p.max(axis=-1)), log_p.argmax(axis=-1) == labelled.labels


def best_temperature(labelled: LabelledLogits) -> float:
    """The temperature under which the true classes are likeliest.

    The negative log-likelihood is convex in 1 / temperature, so its slope, the mean
    logit under the softmax less the true class's, changes sign once. That place is
    found by halving.

    Args:
        labelled: Logits and true classes, not those it will be judged on.

    Returns:
        The temperature, within 0.001..1000; a bound where every answer is right, or
        none is better than chance.

    Raises:
        ValueError: If logits are no numbers.

    Reference:
        C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
        Networks", ICML 2017.
        Does not differ from the paper.
    """
    logits = _below_top(labelled.logits)
    finite = np.where(np.isfinite(logits), logits, 0.0)
    true = np.mean(_of_labels(logits, labelled.labels))

    def slope(temperature: float) -> float:
        weights = np.exp(logits / temperature)
        means = (weights * finite).sum(axis=-1) / weights.sum(axis=-1)
        return float(np.mean(means) - true)

    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # A positive slope: less likely as it gets colder.
        low, high = (middle, high) if slope(np.exp(middle)) > 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def _log_probabilities(labelled: LabelledLogits, temperature: float) -> np.ndarray:
    logits = _below_top(labelled.logits) / temperature
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def _below_top(logits: np.ndarray) -> np.ndarray:
    """The logits as float64, each row less its largest."""
    logits = np.asarray(logits, np.float64)
    top = logits.max(axis=-1, keepdims=True)
    if not len(logits) or not np.all(np.isfinite(top)):
        raise ValueError(
            "Calibration needs answers, each with a finite logit and none that is no "
            f"number. Received: {len(logits)} answers, "
            f"{int((~np.isfinite(top)).sum())} of them without."
        )
    return logits - top


def _of_labels(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, np.asarray(labels)[:, None], axis=-1)[:, 0]


def _bin(
    low: float, high: float, confidence: np.ndarray, right: np.ndarray
) -> ReliabilityBin:
    if not len(right):
        return ReliabilityBin(low, high, 0, np.nan, np.nan)
    return ReliabilityBin(
        low, high, len(right), float(confidence.mean()), float(right.mean())
    )
