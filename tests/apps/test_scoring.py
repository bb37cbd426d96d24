"""What evaluate and compare print, write and refuse, on runs that took no training."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

from tfmeta import MetaModel
from tfmeta.data import load
from tfmeta.learners import MAML, Learner, ProtoNet
from tfmeta.nets import conv4, fresh, mlp
from tfmeta.serving import save_checkpoint
from tfmeta.training import RunFolder
from tfmeta.training.run import tested

ASKED = ("--way=3", "--query=2", "--episodes=8")


def make_run(path: pathlib.Path, learner: Learner, dataset: str, **flags) -> str:
    """A run folder as after training; its flag --run_dir."""
    run = RunFolder(path)
    run.make()
    none = dict.fromkeys(("data_dir", "split", "image_size", "channels"))
    data = dict(dataset=dataset, download=False, rotations=False, data_seed=0)
    model = MetaModel(learner, task_map="loop")
    said = {**none, **data, **flags}
    run.write_config(said, model, load(dataset, seed=said["data_seed"]))
    save_checkpoint(run.last, {"learner": learner.variables}, {"step": 1})
    return str(path)


@pytest.fixture(scope="module")
def runs(npz, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("runs")

    def protonet(seed: int) -> ProtoNet:
        net = conv4(filters=4, strided=True, input_shape=(8, 8, 1))
        return ProtoNet(fresh(net, seed=seed))

    net = mlp(outputs=1, units=(8,), input_shape=(1,))
    images = f"npz:{npz}"
    return {
        "a": make_run(folder / "a", protonet(0), images),
        "b": make_run(folder / "b", protonet(1), images),
        "other": make_run(folder / "other", protonet(0), images, data_seed=1),
        "sine": make_run(
            folder / "sine", MAML(fresh(net, seed=0), inner_lr=0.01), "sinusoid"
        ),
    }


def last_line(ended) -> dict:
    assert (ended.code, ended.err) == (0, ""), ended.err
    drawn = [line for line in ended.out.splitlines() if line[:1] in "┏┃│└"]
    assert drawn and max(map(len, drawn)) <= 80
    return json.loads(ended.out.splitlines()[-1])


def test_calibration_is_fitted_on_validation_classes(start, runs) -> None:
    flags = [f"--run_dir={runs['a']}", *ASKED, "--calibration", "--json"]
    ended = start("evaluate", *flags).wait()
    found = last_line(ended)["calibration"]
    before, after = found["before"], found["after"]
    assert before["temperature"] == 1 and after["temperature"] != 1
    assert before["queries"] == 8 * 6 == sum(b["count"] for b in before["table"])
    assert f"{100 * before['ece']:.2f} %" in ended.out
    assert "93 to 100 %" in ended.out or "33 to 40 %" in ended.out
    kept = json.loads((pathlib.Path(runs["a"]) / "results.json").read_text())
    assert kept["calibration"] == found and len(kept["scores"]) == 8


def test_the_fitted_temperature_goes_into_an_export(start, runs, npz, tmp_path) -> None:
    run = f"--run_dir={runs['b']}"
    out = [f"--out={tmp_path}/served", "--calibrated"]
    line = start("export", run, *out).wait().error()
    assert "keeps no temperature. Run " in line and "--calibration first" in line
    ended = start("evaluate", run, *ASKED, "--calibration", "--json").wait()
    fitted = last_line(ended)["calibration"]["after"]["temperature"]
    kept = json.loads((pathlib.Path(runs["b"]) / "calibration.json").read_text())
    assert kept.pop("temperature") == fitted
    assert kept == {
        "source": f"npz:{npz}",
        "split": "val",
        "seed": 1,
        "way": 3,
        "shot": 1,
        "query": 2,
        "episodes": 8,
        "steps": None,
        "normalisation": "running",
        "which": "best",
    }
    line = start("export", run, *out, "--temperature=2").wait().error()
    assert "both name a temperature" in line
    line = start("export", run, *out, "--which=last").wait().error()
    assert "fitted otherwise: which was best and is last" in line
    assert not (tmp_path / "served").exists()
    ended = start("export", run, *out, "--images").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    facts = json.loads((tmp_path / "served" / "1" / "export.json").read_text())
    assert facts["temperature"] == fitted
    flags = [f"--exported={tmp_path}/served", "--way=3", "--query=2", "--episodes=3"]
    checked = start("check_export", run, *flags, "--json").wait()
    assert (checked.code, checked.err) == (0, ""), checked.err
    found = json.loads(checked.out.splitlines()[-1])
    assert found["difference"] < 1e-5
    both = ["adapt_and_predict", "adapt_and_predict_images"]
    assert found["signatures"] == both


def test_regression_is_scored_in_its_own_units_and_drawn(start, runs, tmp_path) -> None:
    picture = tmp_path / "sine.png"
    flags = ["--shot=5", "--query=4", "--episodes=8", f"--picture={picture}"]
    run = f"--run_dir={runs['sine']}"
    ended = start("evaluate", run, *flags, "--baselines", "--json").wait()
    found = last_line(ended)
    assert (found["metric"], found["way"]) == ("mse", None)
    assert [b["learner"] for b in found["baselines"]] == ["FromScratch"]
    assert "5 examples a task, 4 queries, 8 episodes" in ended.out
    assert f"{found['mean']:.4g} ± " in ended.out and "%" not in ended.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def scorings(run: str) -> int:
    """How often a run was scored on test classes, as its folder says."""
    return tested.tested(RunFolder(run))


def test_two_runs_are_compared_in_pairs(start, runs) -> None:
    before = scorings(runs["a"]), scorings(runs["b"])
    flags = [f"--run_dir={runs['a']}", *ASKED, "--json"]
    ended = start("compare", *flags, f"--against={runs['b']}").wait()
    found = last_line(ended)
    assert found["difference"] == pytest.approx(found["a"]["mean"] - found["b"]["mean"])
    assert found["verdict"] in ended.out and "A - B, paired" in ended.out
    assert found["ci95"] > 0 and found["a"]["episodes"] == 8
    assert (scorings(runs["a"]), scorings(runs["b"])) == (before[0] + 1, before[1] + 1)
    itself = start("compare", *flags, f"--against={runs['a']}").wait()
    found = last_line(itself)
    assert (found["difference"], found["ci95"], found["better"]) == (0, 0, None)


def test_a_run_is_compared_with_a_baseline(start, runs) -> None:
    before = scorings(runs["a"])
    flags = [f"--run_dir={runs['a']}", *ASKED, "--part=val", "--json"]
    found = last_line(start("compare", *flags, "--against=nearestneighbour").wait())
    assert (found["a"]["learner"], found["b"]["learner"], found["a"]["split"]) == (
        "ProtoNet",
        "NearestNeighbour",
        "val",
    )
    assert scorings(runs["a"]) == before


def test_episodes_go_into_a_file_and_come_from_it(start, runs, tmp_path) -> None:
    path = f"{tmp_path}/some.npz"
    run = f"--run_dir={runs['a']}"
    saved = start("evaluate", run, *ASKED, f"--save_episodes={path}", "--json").wait()
    found = last_line(saved)
    flags = [f"--episodes_file={path}", "--json"]
    again = last_line(start("evaluate", run, *flags, "--calibration").wait())
    assert again["tested"] == found["tested"] + 1 == scorings(runs["a"])
    assert again["mean"] == found["mean"] and again["way"] == 3
    assert (again["seed"], again["episodes_file"]) == (None, path)
    line = start("evaluate", run, *flags, "--way=3").wait().error()
    assert "leave out --way" in line
    both = start("compare", run, f"--against={runs['b']}", *flags).wait()
    assert last_line(both)["a"]["mean"] == found["mean"]
    assert f"8 episodes of {path}" in both.out


@pytest.mark.parametrize(
    ("script", "flags", "sentence"),
    [
        ("compare", ["--against={other}"], "data_seed was 0 in A and 1 in B"),
        ("compare", ["--against={sine}"], "dataset was npz:.* in A and sinusoid in B"),
        ("compare", ["--against=none"], "none holds no trained run"),
        ("compare", [], "--against must be given"),
        ("compare", ["--against={b}", "--way=6"], "split 'test' has 5"),
        ("evaluate", ["--calibration", "--part=val"], "judged on others"),
        ("evaluate", ["--save_episodes=a", "--episodes_file=b"], "in a file already"),
        ("evaluate", ["--picture=a.png"], "functions of one number"),
        ("evaluate", ["--eval_steps=3"], "inner steps. Received: ProtoNet, without"),
        ("evaluate", ["--units=3"], "trained otherwise: leave out --units"),
        ("compare", ["--against={b}", "--eval_steps=3"], "Leave out --eval_steps"),
    ],
)
def test_refusals(start, runs, script, flags, sentence) -> None:
    flags = [flag.format(**runs) for flag in flags]
    line = start(script, f"--run_dir={runs['a']}", *ASKED, *flags).wait().error()
    assert re.search(sentence, line), line


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--net=mlp", "takes no net. Leave out --net"),
        ("--normalisation=task", "no such setting as normalisation. Leave out --norm"),
        ("--eval_steps=3", "no such setting as eval_steps. Leave out --eval_steps"),
    ],
)
def test_what_a_learner_does_not_have_is_refused(start, npz, flag, sentence) -> None:
    flags = ["--learner=nearestneighbour", f"--dataset=npz:{npz}", *ASKED]
    line = start("evaluate", *flags, flag).wait().error()
    assert sentence in line


def test_a_baseline_that_does_not_fit_is_refused(start, runs) -> None:
    flags = [f"--run_dir={runs['sine']}", "--shot=5", "--against=nearestneighbour"]
    line = start("compare", *flags, "--episodes=4").wait().error()
    assert "or fromscratch" in line


def test_help_of_compare_shows_the_shared_flags(start) -> None:
    helped = start("compare", "--help").wait()
    for flag in ("--against", "--part=test|val|train", "--way", "--[no]json"):
        assert f"  {flag}\n" in helped.out


def test_lakes_test_is_scored_on_its_trials(start, real_data, tmp_path) -> None:
    places = {"data_dir": str(real_data / "tfds")}
    net = conv4(filters=4, strided=True, input_shape=(28, 28, 1))
    learner = ProtoNet(fresh(net, seed=0))
    run = RunFolder(tmp_path / "run")
    run.make()
    said = dict.fromkeys(("split", "image_size", "channels"))
    said = {**said, "dataset": "tfds:omniglot", "rotations": True, "data_seed": 0}
    source = load("tfds:omniglot", rotations=True, **places)
    run.write_config({**said, **places}, MetaModel(learner, task_map="loop"), source)
    save_checkpoint(run.last, {"learner": learner.variables}, {"step": 1})
    flags = [f"--run_dir={run.path}", "--protocol=lake", "--json"]
    kept = f"--save_episodes={tmp_path}/lake.npz"
    ended = start("evaluate", *flags, kept, "--baselines").wait()
    found = last_line(ended)
    sizes = [found[name] for name in ("protocol", "way", "shot", "query", "episodes")]
    assert sizes == ["lake", 20, 1, 1, 20] and found["mean"] > 0.1
    assert "Lake's test, 20 trials" in ended.out
    again = start("evaluate", flags[0], f"--episodes_file={tmp_path}/lake.npz").wait()
    assert f"{100 * found['mean']:.2f} ± " in again.out
    line = start("evaluate", *flags, "--way=5").wait().error()
    assert "--protocol=lake fixes the episodes: leave out --way" in line


def test_lakes_test_is_of_omniglot(start, runs) -> None:
    flags = [f"--run_dir={runs['a']}", "--protocol=lake"]
    line = start("evaluate", *flags).wait().error()
    assert (
        "--protocol=lake is a test on Omniglot's drawings. Received: a run on" in line
    )
