"""The threshold below which answers are rejected."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.evaluation import LabelledLogits, choose_threshold

DRAWS = np.random.default_rng(0)


def labelled(confidence, right) -> LabelledLogits:
    """Answers of two classes, always the first, as sure as this."""
    confidence = np.array(confidence, np.float64)
    logits = np.log(np.stack([confidence, 1 - confidence], axis=-1))
    return LabelledLogits(logits, np.where(right, 0, 1))


def drawn(count: int = 157) -> tuple[np.ndarray, np.ndarray]:
    """Confidences with ties, of which the higher are right more often."""
    confidence = (0.5 + DRAWS.integers(1, 50, count) / 101).round(2)
    return confidence, DRAWS.random(count) < confidence


@pytest.mark.parametrize("wanted", [0.8, 0.85, 0.9])
def test_an_accuracy_is_met_by_as_many_as_can_be(wanted):
    confidence, right = drawn()
    found = choose_threshold(labelled(confidence, right), accuracy=wanted)
    most = 0
    for least in np.unique(confidence):
        if right[confidence >= least].mean() >= wanted:
            most = max(most, np.sum(confidence >= least))
    kept = confidence >= found.threshold
    assert kept.sum() == most == round(found.coverage * len(kept))
    assert found.accuracy == pytest.approx(right[kept].mean()) and most < len(kept)


@pytest.mark.parametrize("wanted", [0.01, 0.3, 0.5, 0.99])
def test_a_coverage_is_met_by_as_few_as_can_be(wanted):
    confidence, right = drawn()
    found = choose_threshold(labelled(confidence, right), coverage=wanted)
    kept = confidence >= found.threshold
    assert found.coverage == pytest.approx(kept.mean()) and found.coverage >= wanted
    assert found.accuracy == pytest.approx(right[kept].mean())
    fewer = confidence > confidence[kept].min()
    assert fewer.mean() < wanted


def test_all_are_kept_where_that_will_do():
    given = labelled([0.9, 0.6, 0.7], [True, True, True])
    assert choose_threshold(given, accuracy=1.0) == (0.0, 1.0, 1.0)
    assert choose_threshold(given, coverage=1.0) == (0.0, 1.0, 1.0)


def test_certainty_rejects_none_that_is_as_sure():
    given = labelled([1 - 1e-12, 1 - 1e-12, 0.6], [True, False, True])
    with pytest.raises(ValueError, match="of the surest 2, 0.500 are"):
        choose_threshold(given, accuracy=0.9)


@pytest.mark.parametrize(
    "options",
    [{}, {"accuracy": 0.9, "coverage": 0.5}, {"accuracy": 0}, {"coverage": 1.1}],
)
def test_what_is_wanted_must_be_said_once(options):
    with pytest.raises(ValueError, match="either accuracy or coverage"):
        choose_threshold(labelled([0.9], [True]), **options)


def test_what_float32_cannot_tell_apart_is_kept_together():
    """Servers compare float32 probabilities: these four are all exactly one."""
    logits = np.array([[40.0, 0], [30, 0], [25, 0], [20, 0]])
    found = LabelledLogits(logits, np.array([0, 0, 0, 1]))
    with pytest.raises(ValueError, match=r"surest 4, 0.750 are"):
        choose_threshold(found, accuracy=1.0)
    assert choose_threshold(found, accuracy=0.75)[1:] == (0.75, 1.0)


def test_the_threshold_lies_above_what_it_rejects():
    low = np.float32(0.9)
    high = np.nextafter(low, np.float32(1))
    found = choose_threshold(labelled([high, low], [True, False]), accuracy=1.0)
    assert (high >= found.threshold, low >= found.threshold) == (True, False)
