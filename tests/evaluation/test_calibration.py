"""Calibration against loops over queries and bins."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from evaluation_cases import SIZE, split
from learner_cases import normed, plain

import tfmeta
from tfmeta.data import episodes
from tfmeta.evaluation import (
    LabelledLogits,
    best_temperature,
    calibration,
    evaluate,
    fit_temperature,
    query_logits,
    reliability,
)
from tfmeta.learners import MAML, FromScratch, ProtoNet


def drawn(queries: int = 501, classes: int = 7, seed: int = 0) -> LabelledLogits:
    """Logits, one class in each row absent, and labels drawn from their softmax."""
    draws = np.random.default_rng(seed)
    logits = draws.normal(0, 1.5, (queries, classes))
    logits[np.arange(queries), draws.integers(classes, size=queries)] = -np.inf
    gumbel = draws.gumbel(size=logits.shape)
    return LabelledLogits(logits, (logits + gumbel).argmax(axis=1))


def scaled(given: LabelledLogits, scale: float) -> LabelledLogits:
    return LabelledLogits(given.logits * scale, given.labels)


def probabilities(row: np.ndarray, temperature: float) -> list[float]:
    """The softmax, the dumb way."""
    parts = [math.exp(z / temperature) if z > -math.inf else 0.0 for z in row]
    return [part / sum(parts) for part in parts]


@pytest.mark.parametrize(("temperature", "bins"), [(1.0, 15), (2.5, 4), (0.3, 1)])
def test_reliability_by_a_loop(temperature, bins) -> None:
    given = drawn()
    found = reliability(given, temperature=temperature, bins=bins)
    inside = [[] for _ in range(bins)]
    nll = []
    for row, label in zip(given.logits, given.labels, strict=True):
        p = probabilities(row, temperature)
        nll.append(-math.log(p[label]))
        top = max(p)
        place = next(i for i in range(bins) if i / bins < top <= (i + 1) / bins)
        inside[place].append((top, p.index(top) == label))
    ece = 0.0
    for bin_, pairs in zip(found.table, inside, strict=True):
        assert bin_.count == len(pairs)
        if not pairs:
            assert math.isnan(bin_.accuracy) and math.isnan(bin_.confidence)
            continue
        confidence, accuracy = np.mean(pairs, axis=0)
        assert bin_.confidence == pytest.approx(confidence)
        assert bin_.accuracy == pytest.approx(accuracy)
        ece += len(pairs) / 501 * abs(confidence - accuracy)
    assert found.ece == pytest.approx(ece)
    assert found.nll == pytest.approx(np.mean(nll))
    assert (found.queries, found.temperature) == (501, temperature)
    assert (found.table[0].low, found.table[-1].high) == (0, 1)
    json.loads(json.dumps(found.summary(), allow_nan=False))


def test_answers_drawn_from_their_own_probabilities_are_calibrated() -> None:
    many = drawn(20_000)
    assert reliability(many).ece < 0.015
    assert best_temperature(many) == pytest.approx(1, abs=0.03)
    sure = scaled(many, 3)
    assert best_temperature(sure) == pytest.approx(3, abs=0.09)
    assert best_temperature(sure) == pytest.approx(3 * best_temperature(many))
    before = reliability(sure)
    after = reliability(sure, temperature=best_temperature(sure))
    assert before.ece > 0.1 and after.ece < 0.015 and after.nll < before.nll


def test_no_other_temperature_is_likelier() -> None:
    given = scaled(drawn(), 0.4)
    best = best_temperature(given)
    least = reliability(given, temperature=best).nll
    for other in best * np.array([0.5, 0.99, 1.01, 2]):
        assert reliability(given, temperature=other).nll > least


def test_bounds_of_the_temperature() -> None:
    right = LabelledLogits(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0, 1]))
    wrong = LabelledLogits(right.logits, 1 - right.labels)
    assert best_temperature(right) == pytest.approx(1e-3)
    assert best_temperature(wrong) == pytest.approx(1e3)


def test_huge_logits_do_not_overflow() -> None:
    found = reliability(LabelledLogits(np.array([[1e6, -1e6, -np.inf]]), np.array([0])))
    assert found.nll == 0 and found.ece == 0 and found.table[-1].count == 1


def test_refusals() -> None:
    good = drawn(3)
    with pytest.raises(ValueError, match="bins=0"):
        reliability(good, bins=0)
    with pytest.raises(ValueError, match="temperature=0"):
        reliability(good, temperature=0)
    bad = LabelledLogits(np.array([[0.0, np.nan], [0.0, 1.0]]), np.array([0, 1]))
    for function in (reliability, best_temperature):
        with pytest.raises(ValueError, match="2 answers, 1 of them"):
            function(bad)
        with pytest.raises(ValueError, match="0 answers"):
            function(LabelledLogits(good.logits[:0], good.labels[:0]))


@pytest.mark.parametrize(
    "learner",
    [
        # A head of five outputs, of which two are absent in three-way tasks.
        MAML(normed(5), inner_steps=1, inner_lr=0.1),
        ProtoNet(plain()),
        FromScratch(normed(5), eval_steps=1),
    ],
    ids=lambda learner: type(learner).__name__,
)
def test_answers_are_those_that_evaluate_scores(learner) -> None:
    found = query_logits(learner, split(), **SIZE)
    assert found.logits.shape == (7 * 12, 3 if learner.max_way is None else 5)
    if learner.max_way:
        assert np.all(np.isneginf(found.logits[:, 3:]))
    right = found.logits.argmax(axis=1) == found.labels
    scores = evaluate(learner, split(), **SIZE).scores
    np.testing.assert_allclose(right.reshape(7, 12).mean(axis=1), scores, rtol=1e-6)

    temperature = fit_temperature(learner, split(seed=1), **SIZE)
    assert temperature == best_temperature(query_logits(learner, split(seed=1), **SIZE))
    measured = calibration(learner, split(), temperature=temperature, bins=5, **SIZE)
    # Empty bins hold NaN, which equals nothing.
    assert repr(measured) == repr(reliability(found, temperature=temperature, bins=5))
    assert measured.queries == 84 and len(measured.table) == 5


def test_padded_queries_are_no_answers(monkeypatch) -> None:
    """Tasks of 6 real queries among 12, beside those of all 12."""

    def half(*args, **options):
        def cut(x, y):
            tasks = len(y)
            six = tf.range(tasks) % 2 * 6 + 6
            padding = tf.sequence_mask(six, 12)[..., None]
            queries = tf.where(padding, x["query_x"], np.nan)
            counts = dict(support_count=tf.fill([tasks], 6), query_count=six)
            return {**x, "query_x": queries, **counts}, y

        return episodes(*args, **options).map(cut)

    learner = ProtoNet(plain())
    whole = query_logits(learner, split(), **SIZE)
    monkeypatch.setattr("tfmeta.evaluation.frozen.episode_dataset", half)
    found = query_logits(learner, split(), **SIZE)
    kept = np.arange(7 * 12) // 12 % 2 * 6 + 6 > np.arange(7 * 12) % 12
    np.testing.assert_allclose(found.logits, whole.logits[kept], rtol=1e-4)
    np.testing.assert_array_equal(found.labels, whole.labels[kept])


def test_targets_have_no_calibration() -> None:
    test = tfmeta.data.load("sinusoid").test
    with pytest.raises(ValueError, match="float targets"):
        calibration(FromScratch(plain(1)), test, shot=5)
