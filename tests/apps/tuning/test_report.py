"""What is told of a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfmeta.apps.flags.search import Searched
from tfmeta.apps.tuning.ray_search import Outcome, Plan
from tfmeta.apps.tuning.report import draw, ranked, tell, write_flagfile

RATE = Searched("inner_lr", low=0.001, high=1.0, scale="log")
NET = Searched("net", ("conv4", "mlp"))
WIDE = Searched("filters", ("8", "16"))


def plan(folder: Path, metric: str = "val_accuracy") -> Plan:
    return Plan(
        folder=folder,
        searched=[RATE, NET, WIDE],
        command=["train"],
        owners={
            "inner_lr": ("", ()),
            "net": ("", ()),
            "filters": ("net", ("conv4", "resnet12")),
        },
        metric=metric,
        higher_is_better=metric == "val_accuracy",
        trials=3,
        validations=4,
        grace=2,
        parallel=1,
        sampler="random",
        seed=0,
    )


def outcome(number: int, best: float | None, **changes) -> Outcome:
    values = {"inner_lr": 0.1 / (1 + number), "net": "conv4", "filters": "8"}
    values |= changes.pop("values", {})
    given = {"step": 40, "memory_gb": 1.25, "error": "", "stopped": False, **changes}
    return Outcome(name=f"trial_{number}", values=values, best=best, **given)


OUTCOMES = [
    outcome(0, 0.5, stopped=True),
    outcome(1, None, error="error: no such thing", step=0),
    outcome(2, 0.7, values={"net": "mlp"}),
]


def test_the_best_is_first_and_what_failed_is_last(tmp_path) -> None:
    names = [each.name for each in ranked(plan(tmp_path), OUTCOMES)]
    assert names == ["trial_2", "trial_0", "trial_1"]
    errors = ranked(plan(tmp_path, "val_mse"), OUTCOMES)
    assert [each.name for each in errors] == ["trial_0", "trial_2", "trial_1"]


def test_a_flag_that_the_trials_net_does_not_have_is_left_out(tmp_path) -> None:
    first, _, last = OUTCOMES
    assert plan(tmp_path).flags_of(first.values) == [
        "--inner_lr=0.1",
        "--net=conv4",
        "--filters=8",
    ]
    assert plan(tmp_path).flags_of(last.values) == ["--inner_lr=0.0333333", "--net=mlp"]


def test_the_best_flags_are_a_file_for_train(tmp_path) -> None:
    path = write_flagfile(plan(tmp_path), OUTCOMES[2], ["--learner=maml"])
    heading, *rest = path.read_text().splitlines()
    assert heading == "# The best of a search: trial_2, 70.00 % in validation."
    said = [line for line in rest if line.startswith("--")]
    assert said == ["--learner=maml", "--inner_lr=0.0333333", "--net=mlp"]


def test_the_table_names_what_failed(tmp_path, capsys) -> None:
    tell(plan(tmp_path), OUTCOMES)
    printed = capsys.readouterr().out
    assert "trial_1 failed: error: no such thing" in printed
    assert "70.00 %" in printed and "failed" in printed
    assert "0: inner_lr=0.1 net=conv4" in printed


@pytest.mark.parametrize("metric", ["val_accuracy", "val_mse"])
def test_the_picture_is_drawn(metric: str, tmp_path) -> None:
    draw(plan(tmp_path, metric), OUTCOMES, tmp_path / "search.png")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
