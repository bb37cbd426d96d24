"""Each method from the command line, and what its flags make of it."""

from __future__ import annotations

import json

import pytest

METHODS = {
    "anil": (["--learner=maml", "--adapt_only=head"], "MAML"),
    "meta_sgd": (["--learner=maml", "--rule=learnedrates", "--inner_lr=0.1"], "MAML"),
    "reptile": (
        ["--learner=reptile", "--outer_optimizer=sgd", "--outer_lr=1"],
        "Reptile",
    ),
    "reptile by gradient steps": (
        ["--learner=reptile", "--rule=gradientdescent", "--inner_lr=0.1"],
        "Reptile",
    ),
    "matching_net": (["--learner=matchingnet", "--full_context"], "MatchingNet"),
    "fine_tune": (["--learner=finetune", "--eval_steps=2"], "FineTune"),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_and_is_scored(method, start, tiny, tmp_path):
    flags, name = METHODS[method]
    run = f"--run_dir={tmp_path}/run"
    ended = start("train", *tiny, *flags, run, "--steps=2", "--decay_to_zero").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    scored = start("evaluate", run, "--way=3", "--query=2", "--episodes=3", "--json")
    result = json.loads(scored.wait().out.splitlines()[-1])
    assert result["learner"] == name and 0 <= result["mean"] <= 1


def test_several_seeds_have_runs_of_their_own_and_a_mean(start, tiny, tmp_path):
    command = ["train", *tiny, f"--run_dir={tmp_path}/runs", "--steps=1", "--json"]
    ended = start(*command, "--seed=4", "--seeds=2").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    result = json.loads(ended.out.splitlines()[-1])
    assert result["runs"] and len(result["means"]) == 2
    assert result["mean"] == pytest.approx(sum(result["means"]) / 2)
    for seed in (4, 5):
        config = json.loads((tmp_path / f"runs/seed{seed}/config.json").read_text())
        assert config["flags"]["seed"] == seed
        kept = json.loads((tmp_path / f"runs/seed{seed}/results.json").read_text())
        assert kept["tested"] == 1 and kept["mean"] in result["means"]


REFUSED = {
    "another's flag": (
        ["--learner=protonet", "--inner_steps=2"],
        "--inner_steps is of maml, reptile; --learner=protonet has no such setting",
    ),
    "a base class": (
        ["--learner=gradientlearner"],
        "--learner is one of: finetune, fromscratch, linearprobe, maml, matchingnet, "
        "nearestneighbour, protonet, reptile, supervised; or package.module:name",
    ),
    "no such weights": (["--learner=maml", "--adapt_only=haed"], "matches none of"),
    "another net's flag": (
        ["--drop_block=0.1"],
        "--drop_block is of resnet12: name that one by --net.",
    ),
    "a flag of no chosen net": (
        ["--units=3"],
        "--units is of mlp; --net=conv4 has no such setting",
    ),
    "another rule's flag": (
        ["--learner=maml", "--rule=gradientdescent", "--beta_1=0"],
        "--beta_1 is of adam; --rule=gradientdescent has no such setting",
    ),
    "no rule": (["--rule=adam"], "--learner=protonet takes no inner steps by a rule"),
    "another's switch": (
        ["--nofirst_order"],
        "--nofirst_order is of maml; --learner=protonet has no such setting",
    ),
    "no clipping": (["--clip_norm=0"], "must be above 0"),
    "an empty range": (["--way="], "must be a number, or a range"),
    "two schedules": (["--halve_every=2", "--decay_to_zero"], "exclude each other"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_flags_that_do_not_fit_are_refused(case, start, tiny, tmp_path):
    flags, sentence = REFUSED[case]
    refused = start("train", *tiny, *flags, f"--run_dir={tmp_path}/run").wait()
    assert sentence in refused.error()
    assert not (tmp_path / "run").exists()
