"""Ranges of way and shot, and functions, from the command line."""

from __future__ import annotations

import json

import pytest

SINUSOID = [
    *("train", "--dataset=sinusoid", "--learner=maml", "--net=mlp"),
    *("--shot=5", "--query=4", "--tasks=2", "--val_query=4", "--val_episodes=4"),
    *("--task_map=loop", "--validate_every=2"),
]


def test_functions_are_trained_on(start, tmp_path):
    command = [*SINUSOID, "--inner_lr=0.01", f"--run_dir={tmp_path}/run", "--json"]
    for steps in (4, 6):
        ended = start(*command, f"--steps={steps}").wait()
        assert (ended.code, ended.err) == (0, ""), ended.err
        result = json.loads(ended.out.splitlines()[-1])
        assert result["step"] == steps and result["best"] > 0
    assert "sinusoid: functions, drawn anew for every step. MAML: 1761" in ended.out
    assert "best validation mse" in ended.out
    again = start(*command[:-1], "--steps=6", "--shot=6").wait().error()
    assert "shot was 5 and is 6" in again
    folder = f"--run_dir={tmp_path}/run"
    assert start("export", folder).wait().code == 0
    asked = ["--shot=5", "--episodes=3", "--query=4", "--json"]
    exported = f"--exported={tmp_path}/run/exported"
    checked = start("check_export", folder, exported, *asked).wait()
    assert (checked.code, checked.err) == (0, ""), checked.err
    found = json.loads(checked.out.splitlines()[-1])
    assert found["difference"] < 1e-5 and found["mse"] > 0


def test_a_net_is_pretrained_on_functions(start, tmp_path):
    command = [*SINUSOID, "--learner=finetune", "--batch_size=8"]
    ended = start(*command, "--steps=4", f"--run_dir={tmp_path}/run", "--json").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert json.loads(ended.out.splitlines()[-1])["best"] > 0
    scored = start(
        "evaluate", f"--run_dir={tmp_path}/run", "--shot=5", "--episodes=4", "--json"
    ).wait()
    assert json.loads(scored.out.splitlines()[-1])["steps"] == 50
    probe = start(*SINUSOID, "--learner=linearprobe", f"--run_dir={tmp_path}/other")
    assert "Received: LinearProbe, which learns classes." in probe.wait().error()


def test_ranges_are_drawn_from_and_the_run_goes_on(start, tiny, tmp_path):
    varied = [*tiny, "--way=2:4", "--shot=1:3", "--unequal_shots", "--task_map=auto"]
    command = ["train", *varied, f"--run_dir={tmp_path}/run"]
    for steps in (2, 4):
        ended = start(*command, f"--steps={steps}").wait()
        assert (ended.code, ended.err) == (0, ""), ended.err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["flags"]["way"], config["flags"]["shot"]) == ([2, 4], [1, 3])
    assert config["task_map"] == "loop"


def test_a_head_has_as_many_outputs_as_the_highest_way(start, tiny, tmp_path):
    command = ["train", *tiny, "--way=2:4", "--learner=maml", f"--run_dir={tmp_path}/r"]
    assert start(*command, "--steps=1").wait().code == 0
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert '"units": 4' in json.dumps(config["learner"])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--way=5"], "no classes. Leave out"),
        (["--learner=protonet"], "Received: ProtoNet, which learns classes."),
        (["--rotations"], "Leave out --split, --rotations"),
        (["--shot=3:1"], "must be a number, or a range such as 5:20"),
        (["--shot=two"], "must be a number, or a range such as 5:20"),
    ],
)
def test_what_cannot_be_is_refused(flags, sentence, start, tmp_path):
    refused = start(*SINUSOID, *flags, f"--run_dir={tmp_path}/run").wait()
    assert sentence in refused.error()
    assert not (tmp_path / "run" / "config.json").exists()
