"""The numbers of a result, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from evaluation_cases import result

from tfmeta.evaluation import read_result
from tfmeta.json_files import write_json


def test_mean_and_interval() -> None:
    # Mean 0.5; squared deviations 0.09 + 0.01 + 0.16 = 0.26, over n - 1 = 2.
    assert result().episodes == 3
    assert result().mean == pytest.approx(0.5)
    # Student's t of 2 degrees of freedom is 4.302653.
    assert result().ci95 == pytest.approx(4.302653 * math.sqrt(0.26 / 2 / 3))


def test_of_a_single_score_nothing_is_known() -> None:
    single = result(scores=np.array([0.5]))
    assert (single.mean, single.episodes) == (0.5, 1)
    assert math.isnan(single.ci95) and math.isnan(single.summary()["ci95"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_of_scores_that_are_not_finite_nothing_is_known(bad) -> None:
    found = result(scores=np.array([0.5, bad, 0.7]))
    assert not math.isfinite(found.mean) and math.isnan(found.ci95)


def test_summary_is_json() -> None:
    curve = {
        "curve": np.array([[0.1, 0.3, 0.2], [0.2, 0.4, 0.9]]),
        "curve_steps": (0, 5),
    }
    summary = json.loads(json.dumps(result(**curve, steps=5).summary()))
    assert summary["mean"] == pytest.approx(0.5)
    assert summary["episodes"] == 3 and summary["seconds"] == 1.23
    assert [point["step"] for point in summary["curve"]] == [0, 5]
    # Deviations 0.1, 0.1 and 0 from 0.2: 0.02 over 2.
    assert summary["curve"][0]["mean"] == pytest.approx(0.2)
    assert summary["curve"][0]["ci95"] == pytest.approx(4.302653 * 0.1 / math.sqrt(3))
    assert "scores" not in summary
    assert result().summary()["curve"] is None


def test_each_metric_has_its_mean_and_interval(tmp_path) -> None:
    # Mean 2; squared deviations 1, 0 and 1 over 2.
    nll = np.array([1.0, 2.0, 3.0])
    given = result(metrics={"accuracy": result().scores, "nll": nll})
    summary = given.summary()["metrics"]
    assert summary["nll"]["mean"] == 2
    assert summary["nll"]["ci95"] == pytest.approx(4.302653 / math.sqrt(3))
    assert summary["accuracy"] == {"mean": given.mean, "ci95": given.ci95}
    assert "scores" not in summary["nll"]
    write_json(tmp_path / "results.json", given.record())
    read = read_result(tmp_path)
    assert read.summary() == given.summary()
    np.testing.assert_array_equal(read.metrics["nll"], nll)
    # A record of before there was more than one metric.
    old = {k: v for k, v in given.record().items() if k != "metrics"}
    write_json(tmp_path / "results.json", old)
    (kept,) = read_result(tmp_path).metrics.items()
    assert kept[0] == "accuracy"
    np.testing.assert_array_equal(kept[1], given.scores)


def test_a_metric_that_is_no_number_is_kept_as_one(tmp_path) -> None:
    nll = np.array([1.0, np.nan, np.inf])
    given = result(metrics={"accuracy": result().scores, "nll": nll})
    write_json(tmp_path / "results.json", given.record())
    read = read_result(tmp_path)
    assert read.mean == given.mean and np.isnan(read.metrics["nll"][1])


def test_of_accuracy_more_is_better_of_an_error_less() -> None:
    assert result().higher_is_better
    assert not result(metric="mse", way=None).higher_is_better


def test_a_repr_is_the_score_and_the_size() -> None:
    # 4.302653 * sqrt(0.26 / 2 / 3) = 0.8957.
    assert repr(result()) == (
        "Result(accuracy 0.500 ± 0.896, 5-way 1-shot, 3 episodes)"
    )
    single = result(metric="mse", way=None, shot=10, scores=np.array([12.3456]))
    assert repr(single) == "Result(mse 12.3, 10-shot, 1 episode)"
