"""Paired differences, by hand and in simulation."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from evaluation_cases import SIZE, result, split
from learner_cases import plain

import tfmeta
from tfmeta.evaluation import Comparison, compare, over_seeds
from tfmeta.json_files import write_json
from tfmeta.learners import NearestNeighbour, ProtoNet

TWELVE = np.linspace(0.3, 0.7, 12)  # Scores of twelve episodes.


def test_the_difference_is_taken_episode_by_episode() -> None:
    a = result(scores=TWELVE + 0.05 + 0.1 * np.tile([1, -1, 0], 4))
    b = result(scores=TWELVE - 0.05)
    found = compare(a, b)
    # Differences 0.2, 0 and 0.1, four of each: mean 0.1, squared deviations 0.08 over
    # 11, n 12; Student's t of 11 degrees of freedom is 2.200985.
    assert found.difference == pytest.approx(0.1)
    assert found.ci95 == pytest.approx(2.200985 * math.sqrt(0.08 / 11 / 12))
    assert found.better == "a"
    assert found.verdict == (
        "A is better: its accuracy is higher by 10.00 ± 5.42 points (12 episodes)."
    )
    assert repr(found) == (
        "Comparison(A is better: its accuracy is higher by 10.00 ± 5.42 points "
        "(12 episodes). A: ProtoNet, B: ProtoNet.)"
    )
    assert compare(b, a).better == "b" and compare(b, a).difference < 0
    # Alone, the interval of either is half as wide again.
    assert min(a.ci95, b.ci95) > 1.5 * found.ci95
    summary = json.loads(json.dumps(found.summary()))
    assert summary["better"] == "a" and summary["a"]["mean"] == a.mean


def test_of_errors_the_lower_is_better() -> None:
    a, b = (
        result(metric="mse", way=None, scores=np.tile(scores, 4))
        for scores in ([1.0, 2.0, 3.0], [2.5, 3.0, 4.5])
    )
    found = compare(a, b)
    assert (found.better, found.a.higher_is_better) == ("a", False)
    # Differences -1.5, -1 and -1.5: squared deviations 4 (2 / 36 + 1 / 9) = 2 / 3 over
    # 11, n 12, times 2.201: 0.156.
    assert found.verdict == (
        "A is better: its mse is lower by 1.33 ± 0.16 (12 episodes)."
    )


def test_what_cannot_be_told_is_not() -> None:
    a = result(scores=TWELVE)
    found = compare(a, result(scores=TWELVE + np.tile([0.2, -0.1], 6)))
    assert found.better is None
    # Differences -0.2 and 0.1: mean -0.05, deviations 0.15; 2.201 * 0.15 / sqrt(11).
    assert found.verdict == (
        "No difference can be told with 12 episodes: A - B is -5.00 ± 9.95 points."
    )


@pytest.mark.parametrize(
    ("episodes", "sentence"),
    [
        (1, "Received: 1 episode, where A - B is 10.00 points."),
        (9, "Received: 9 episodes, where A - B is 10.00 ± 0.00 points."),
        (10, None),
    ],
)
def test_few_episodes_give_no_verdict(episodes, sentence) -> None:
    found = compare(
        result(scores=np.full(episodes, 0.5)), result(scores=np.full(episodes, 0.4))
    )
    assert found.difference == pytest.approx(0.1)
    if sentence is None:
        assert found.better == "a"
    else:
        assert found.better is None
        assert found.verdict == f"A verdict needs at least 10 episodes. {sentence}"


def test_the_interval_holds_the_truth_in_95_of_100() -> None:
    """Scores of right answers among 75, on tasks that are hard for both or neither."""
    draws = np.random.default_rng(0)
    trials, episodes, queries, gain = 2000, 200, 75, 0.02
    shape = (trials, episodes)
    skill = draws.beta(8, 2, shape) * (1 - gain)
    a = draws.binomial(queries, skill + gain, shape) / queries
    b = draws.binomial(queries, skill, shape) / queries
    held = alone = 0
    for scores in zip(a, b, strict=True):
        found = Comparison(*(result(scores=each) for each in scores))
        held += abs(found.difference - gain) <= found.ci95
        alone += abs(found.difference - gain) <= found.a.ci95
    # Three standard errors of a share of 0.95 are 0.015.
    assert held / trials == pytest.approx(0.95, abs=0.015)
    assert alone / trials > 0.99  # One model's own interval is far too wide.


def test_models_are_scored_on_the_same_episodes() -> None:
    nearest, protonet = NearestNeighbour(), ProtoNet(plain())
    found = tfmeta.compare(nearest, tfmeta.MetaModel(protonet), split(), **SIZE)
    again = tfmeta.compare(
        tfmeta.evaluate(nearest, split(), **SIZE), protonet, split(), **SIZE
    )
    assert (found.a.learner, found.b.learner) == ("NearestNeighbour", "ProtoNet")
    assert found.difference == again.difference and found.a.episodes == 7


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(seed=2), "differ in seed 1 and 2. Evaluate both"),
        (dict(scores=np.zeros(2)), "episodes 3 and 2"),
        (dict(way=None, metric="mse"), "metric accuracy and mse, way 5 and None"),
        (dict(split="val", query=None), "split test and val, query 15 and None"),
        (dict(drawn="other"), "differ in data"),
    ],
)
def test_results_of_other_episodes_are_refused(changes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        compare(result(), result(**changes))
    with pytest.raises(ValueError, match=sentence):
        over_seeds([result(), result(), result(**changes)])


def test_a_learner_that_diverged_is_named() -> None:
    with pytest.raises(ValueError, match="MAML diverged.* on 1 of 3 episodes"):
        compare(result(), result(learner="MAML", scores=np.array([1, np.nan, 2])))


def test_data_of_the_same_name_are_told_apart() -> None:
    a, b = (
        tfmeta.evaluate(NearestNeighbour(), split(seed), **SIZE) for seed in range(2)
    )
    with pytest.raises(ValueError, match="differ in data"):
        compare(a, b)


def test_a_model_needs_a_split() -> None:
    with pytest.raises(ValueError, match="Received: NearestNeighbour without a split"):
        compare(result(), NearestNeighbour())


def test_over_seeds() -> None:
    runs = [result(scores=np.array([m, m + 0.2])) for m in (0.5, 0.6, 0.4)]
    found = over_seeds(runs)
    # Means 0.6, 0.7, 0.5: standard deviation 0.1; t of 2 degrees of freedom 4.3027.
    assert (found.runs, found.metric) == (3, "accuracy")
    assert found.mean == pytest.approx(0.6)
    assert found.ci95 == pytest.approx(4.30265 * 0.1 / math.sqrt(3), rel=1e-5)
    summary = json.loads(json.dumps(found.summary()))
    assert summary["means"] == pytest.approx([0.6, 0.7, 0.5])
    alone = over_seeds(runs[:1])
    assert math.isnan(alone.ci95) and alone.summary()["ci95"] is None
    with pytest.raises(ValueError, match="at least"):
        over_seeds([])


def test_runs_are_compared_by_what_was_scored(tmp_path) -> None:
    a, b = result(), result(scores=np.array([0.1, 0.4, 0.7]))
    for name, each in (("a", a), ("b", b)):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "results.json", each.record())
    found = tfmeta.compare(tmp_path / "a", str(tmp_path / "b"))
    assert found.verdict == compare(a, b).verdict
    assert found.a.summary() == a.summary()
    np.testing.assert_array_equal(found.b.scores, b.scores)


def test_a_run_without_a_result_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"no result in .*Score the run first"):
        compare(tmp_path, result())
    (tmp_path / "results.json").write_text('{"learner": "MAML"}')
    with pytest.raises(ValueError, match="it lacks metric, scores, split"):
        compare(tmp_path, result())


def test_a_diverged_result_is_read_as_one(tmp_path) -> None:
    path = tmp_path / "results.json"
    write_json(path, result(scores=np.array([0.5, np.nan])).record())
    assert "null" in path.read_text()
    with pytest.raises(ValueError, match="diverged"):
        compare(path, path)


def test_episodes_are_the_same_however_they_were_named() -> None:
    drawn = result(drawn="one")
    assert compare(drawn, result(drawn="one", seed=None)).difference == 0
    with pytest.raises(ValueError, match="differ in seed 1 and None"):
        compare(drawn, result(drawn="two", seed=None))


def test_a_learner_that_answers_nan_is_not_right_by_chance() -> None:
    net = plain()
    net.set_weights([np.full_like(w, np.nan) for w in net.get_weights()])
    found = tfmeta.evaluate(ProtoNet(net), split(), **SIZE)
    assert np.isnan(found.scores).all()
    with pytest.raises(ValueError, match="ProtoNet diverged"):
        compare(found, found)
