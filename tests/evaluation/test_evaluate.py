"""Scores on frozen episodes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from evaluation_cases import SIZE, split
from learner_cases import FEATURES, normed, plain

import tfmeta
from tfmeta.data import episodes
from tfmeta.evaluation import baselines, evaluate
from tfmeta.evaluation.evaluate import Scorer
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, FromScratch, NearestNeighbour, ProtoNet


def test_scores_are_the_share_of_right_answers() -> None:
    learner = NearestNeighbour()
    stream = episodes(split(), way=3, shot=2, query=4, tasks=7, seed=1, count=7)
    x, y = next(iter(stream))
    expected = []
    for task in range(7):
        known, labels = x["support_x"][task].numpy(), x["support_y"][task].numpy()
        right = [
            labels[((known - q) ** 2).sum(1).argmin()] == label
            for q, label in zip(x["query_x"][task].numpy(), y[task], strict=True)
        ]
        expected.append(np.mean(right))
    found = evaluate(learner, split(), **SIZE)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-6)
    assert (found.learner, found.metric, found.split) == (
        "NearestNeighbour",
        "accuracy",
        "test",
    )
    assert (found.way, found.shot, found.query, found.seed) == (3, 2, 4, 1)
    assert found.normalisation == "none" and found.steps is None
    assert found.curve is None and found.seconds > 0


def test_the_episodes_are_frozen(monkeypatch) -> None:
    learner = NearestNeighbour()
    first = evaluate(learner, split(), **SIZE).scores
    np.testing.assert_array_equal(evaluate(learner, split(), **SIZE).scores, first)
    monkeypatch.setattr("tfmeta.evaluation.frozen._TASKS_AT_ONCE", 3)
    np.testing.assert_allclose(evaluate(learner, split(), **SIZE).scores, first)
    more = evaluate(learner, split(), **{**SIZE, "episodes": 9}).scores
    np.testing.assert_allclose(more[:7], first)
    other = evaluate(learner, split(), **SIZE, seed=2).scores
    assert np.any(other != first)


def test_a_model_and_its_learner_score_alike_and_a_scorer_serves_again() -> None:
    learner = ProtoNet(plain())
    scorer = Scorer(learner)
    first = evaluate(tfmeta.MetaModel(learner), split(), **SIZE, scorer=scorer)
    again = evaluate(learner, split(), **SIZE, scorer=scorer)
    np.testing.assert_array_equal(first.scores, again.scores)


def test_steps_and_their_curve() -> None:
    learner = MAML(normed(), inner_steps=1, inner_lr=0.1, eval_steps=3)
    result = evaluate(learner, split(), **SIZE, curve=True)
    assert result.steps == 3 and result.curve.shape == (4, 7)
    np.testing.assert_array_equal(result.curve[-1], result.scores)
    np.testing.assert_allclose(result.scores, evaluate(learner, split(), **SIZE).scores)
    # Before any step the head made from prototypes is a prototypical network.
    protonet = ProtoNet(learner.net, normalisation="support")
    start = evaluate(protonet, split(), **SIZE).scores
    np.testing.assert_allclose(result.curve[0], start)
    other = evaluate(learner, split(), **SIZE, steps=0)
    assert other.steps == 0
    np.testing.assert_allclose(other.scores, start)


def test_all_queries_that_are_left() -> None:
    result = evaluate(NearestNeighbour(), split(), **{**SIZE, "query": None})
    assert result.query is None and result.episodes == 7
    # Ten of twelve are left of each of three classes.
    np.testing.assert_allclose(result.scores * 30, np.round(result.scores * 30), 1e-5)


def test_shuffled_labels_are_at_chance() -> None:
    for learner in (NearestNeighbour(), ProtoNet(plain())):
        result = evaluate(learner, split(shuffled=True), **{**SIZE, "episodes": 200})
        assert abs(result.mean - 1 / 3) < 3 * result.ci95 / 1.96 + 0.03
        assert evaluate(learner, split(), **SIZE).mean > 0.5


def test_refusals() -> None:
    with pytest.raises(ValueError, match="way=3 needs a head of 3 outputs.* has 2"):
        evaluate(MAML(plain(2)), split(), **SIZE)
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        evaluate(NearestNeighbour(), split(), way=3, shot=1, episodes=0)
    with pytest.raises(ValueError, match="Received: str"):
        evaluate("model", split(), **SIZE)
    with pytest.raises(ValueError, match="takes no inner steps|no inner steps"):
        ProtoNet(plain()).trajectory(None, steps=2)


def test_baselines() -> None:
    nearest, scratch = baselines(tfmeta.MetaModel(ProtoNet(plain())))
    assert type(nearest) is NearestNeighbour and type(scratch) is FromScratch
    assert scratch.max_way is None
    assert baselines(nearest)[1:] == []
    # The net's own weights are not used.
    for a, b in zip(scratch.net.get_weights(), plain().get_weights(), strict=True):
        assert a.shape == b.shape and (a.ndim == 1 or np.any(a != b))


@pytest.mark.parametrize(
    "layers",
    [[keras.layers.BatchNormalization()], [BatchNorm(), keras.layers.Dropout(0.5)]],
    ids=["stock", "dropout"],
)
def test_baselines_of_nets_that_cannot_take_the_supports_statistics(layers) -> None:
    net = keras.Sequential([keras.Input(FEATURES), keras.layers.Dense(3), *layers])
    scratch = baselines(ProtoNet(net))[1]
    assert scratch.normalisation == "running"
    assert evaluate(scratch, split(), **SIZE, steps=1).episodes == 7
