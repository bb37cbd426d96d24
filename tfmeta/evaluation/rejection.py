"""Below which confidence answers are better left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfmeta.evaluation.reliability import LabelledLogits, confidences


class Rejection(NamedTuple):
    """What rejecting unsure answers does, on the answers it was chosen by.

    Attributes:
        threshold: Answers of a lower confidence are rejected; 0 rejects none.
        accuracy: The share of right answers among those that are kept.
        coverage: The share of answers that are kept.
    """

    threshold: float
    accuracy: float
    coverage: float


def choose_threshold(
    labelled: LabelledLogits,
    *,
    accuracy: float | None = None,
    coverage: float | None = None,
) -> Rejection:
    """Chooses the confidence below which answers are rejected.

    Confidence is the probability of the likeliest class. It depends on the number of
    classes: choose among as many as will be served, on queries that are used for
    nothing else. A chosen accuracy is met on those; on others it varies.

    Args:
        labelled: Logits and true classes, such as those that
            `tfmeta.evaluation.query_logits` gives on validation classes.
        accuracy: Keep as many answers as possible of which this share is right.
        coverage: Keep the surest answers, at least this share. Give one of the two.

    Returns:
        The threshold, midway between the least sure answer that is kept and the next,
        and what it does.

    Raises:
        ValueError: If not one of the two is given, it is not above 0 and at most 1, or
            no threshold reaches the accuracy.

    Reference:
        R. El-Yaniv, Y. Wiener, "On the Foundations of Noise-free Selective
        Classification", JMLR 2010, for coverage and the risk of what is kept.

    Example:
        >>> logits = np.log([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
        >>> labelled = LabelledLogits(logits, np.array([0, 0, 0]))
        >>> found = choose_threshold(labelled, accuracy=1)
        >>> round(found.threshold, 4), found.accuracy, round(found.coverage, 4)
        (0.7, 1.0, 0.6667)
    """
    wanted = (accuracy or 0.0) if coverage is None else coverage
    if (accuracy is None) == (coverage is None) or not 0 < wanted <= 1:
        raise ValueError(
            "Give either accuracy or coverage, above 0 and at most 1. Received: "
            f"accuracy={accuracy}, coverage={coverage}."
        )
    confidence, right = confidences(labelled)
    confidence = confidence.astype(np.float32)  # As those who serve compare it.
    order = np.argsort(-confidence, kind="stable")
    sure, right = np.append(confidence[order], np.float32(0)), right[order]
    # LabelledLogits of one confidence are kept or rejected together.
    kept = 1 + np.flatnonzero(sure[:-1] > sure[1:])
    accuracies, coverages = np.cumsum(right)[kept - 1] / kept, kept / len(right)
    if coverage is not None:
        best = int(np.argmax(coverages >= wanted - 1e-9))
    else:
        reached = np.flatnonzero(accuracies >= wanted)
        if not len(reached):
            raise ValueError(
                f"No threshold keeps answers of which {accuracy} are right: of the "
                f"surest {kept[0]}, {accuracies[0]:.3f} are. Lower accuracy, or give "
                "coverage."
            )
        best = int(reached[-1])
    last = kept[best]
    threshold = np.float32(0)
    if last < len(right):
        threshold = (sure[last - 1] + sure[last]) / 2
        if not threshold > sure[last]:  # Neighbours have nothing between them.
            threshold = sure[last - 1]
    return Rejection(float(threshold), float(accuracies[best]), float(coverages[best]))
