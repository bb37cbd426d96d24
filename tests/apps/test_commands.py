"""What the scripts print, and the one line with which they refuse."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tfmeta import learners

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def trained(start, tiny, tmp_path_factory) -> dict[str, pathlib.Path]:
    """A run of a learner with a head of 3 outputs, and one of any way."""
    runs = {}
    for name, own in (("maml", ["--eval_steps=2"]), ("protonet", [])):
        runs[name] = tmp_path_factory.mktemp("runs") / name
        flags = [f"--learner={name}", *own, f"--run_dir={runs[name]}"]
        ended = start("train", *tiny, *flags, "--steps=2").wait()
        assert (ended.code, ended.err) == (0, ""), ended.err
    return runs


def test_a_process_of_its_own_prints_nothing_else(tiny, tmp_path):
    """No log line of a library; the last line is for machines."""
    flags = [*tiny, "--steps=2", f"--run_dir={tmp_path}/run", "--json"]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "train.py"), *flags],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["step"], result["new_steps"], result["stopped"]) == (2, 2, None)
    assert "15 classes to train on, 4 to validate on, 5 kept" in done.stdout
    assert "\x1b" not in done.stdout  # A file gets no control codes.
    assert max(map(len, done.stdout.split("Meta-training")[1].splitlines()[1:6])) <= 80


def test_a_process_that_ends_does_not_look_for_garbage_in_its_graphs(tmp_path):
    """It takes Python seconds, and on a busy machine half a minute."""
    program = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from tfmeta.apps.main import main\n"
        "main(['tfmeta', 'compare', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "True", done.stderr


def test_an_import_that_fails_is_one_line(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "evaluate.py"), "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: tfmeta needs Keras' TensorFlow backend")
    assert done.stderr.count("\n") == 1


def test_help_shows_every_flag(start):
    helped = start("train", "--help").wait()
    assert (helped.code, helped.err) == (0, "")
    for flag in (
        "--run_dir",
        "--[no]download",
        "--net",
        "--rule",
        "--distance=euclidean|cosine",
        "--scale",
        "--[no]json",
    ):
        assert f"  {flag}\n" in helped.out
    assert "outer optimizer" in helped.out and "--init_from" in helped.out
    assert "The training:" in helped.out and "TensorFlow" not in helped.out
    lines = [line for line in helped.out.splitlines() if "train.py" not in line]
    assert max(map(len, lines)) <= 88


# Flags after those of a good command, and what the one line must say.
REFUSED = {
    "unknown flag": (["--leraner=maml"], "Did you mean: learner"),
    "unknown learner": (["--learner=mamml"], "one of: .*maml.*protonet"),
    "untrainable": (["--learner=nearestneighbour"], "has no weights to train"),
    "no such data": (["--dataset=cifar"], "There is no source 'cifar'"),
    "not prepared": (["--dataset=tfds:mnist", "--data_dir={tmp}"], "with --download"),
    "no such file": (["--dataset=npz:none.npz"], "There is no file 'none.npz'"),
    "broken npz": (["--dataset=npz:{tmp}/broken.npz"], "not a readable .npz file"),
    "way": (
        ["--way=16"],
        "--way=16 needs 16 classes, but split 'train' has 15. Lower --way",
    ),
    "val_way": (["--val_way=5"], "--val_way=5 needs 5 classes, but split 'val' has 4"),
    "head": (["--learner=maml", "--val_way=4"], "way=4 .* the net has 3"),
    "shot and query": (
        ["--shot=9", "--query=4"],
        "need 13 examples of every class.*Lower --shot or --query",
    ),
    "no number": (["--way=abc"], "--way=abc"),
    "way of zero": (["--way=0"], "--way=0"),
    "negative rate": (["--learner=maml", "--inner_lr=-1"], "--inner_lr=-1"),
    "rate of zero": (["--learner=maml", "--inner_lr=0"], "above 0"),
    "no choice": (["--net=resnet"], "There is no net 'resnet'.*conv4.*mlp"),
    "normalisation": (["--normalisation=batch"], "normalisation"),
    "positional": (["maml"], "Flags start with --. Received: maml."),
    "no flag file": (["--flagfile={tmp}/none.flags"], "none.flags"),
    "below a file": (["--run_dir={tmp}/broken.npz/run"], "Choose another --run_dir."),
    "empty run_dir": (["--run_dir="], "must name a folder"),
    "bad split": (["--split=1,2"], "split"),
    "negative seed": (["--seed=-1"], "--seed=-1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_command_is_one_line_and_makes_nothing(
    case, start, tiny, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("refused")
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 cut short")
    flags, sentence = REFUSED[case]
    flags = [flag.replace("{tmp}", str(folder)) for flag in flags]
    ended = start("train", *tiny, f"--run_dir={folder}/run", "--steps=1", *flags)
    assert_says(ended.wait().error(), sentence)
    assert not (folder / "run").exists()


def assert_says(line: str, sentence: str) -> None:
    assert re.search(sentence, line), line


def test_unknown_learners_are_told_the_known(start, tiny, tmp_path):
    flags = [*tiny, "--learner=x", f"--run_dir={tmp_path}/run"]
    line = start("train", *flags).wait().error()
    for name in ("FromScratch", "MAML", "NearestNeighbour", "ProtoNet"):
        assert hasattr(learners, name) and name.lower() in line


def test_a_run_needs_a_folder(start, tiny):
    assert "--run_dir must be given" in start("train", *tiny).wait().error()
    assert "Give --run_dir or --zoo." in start("export").wait().error()


def test_a_run_of_other_flags_is_kept(start, tiny, trained):
    run = trained["protonet"]
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    flags = [*tiny, f"--run_dir={run}", "--steps=4"]
    line = start("train", *flags, "--shot=2").wait().error()
    assert "other flags: shot was 1 and is 2" in line
    after = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    assert after == before


def test_a_checkpoint_cut_short_is_one_line(start, tiny, tmp_path):
    command = ["train", *tiny, f"--run_dir={tmp_path}/run"]
    assert start(*command, "--steps=1").wait().code == 0
    last = tmp_path / "run" / "checkpoints" / "last.npz"
    last.write_bytes(last.read_bytes()[:1000])
    line = start(*command, "--steps=2").wait().error()
    assert "last.npz is not a whole checkpoint" in line


EVALUATE = ["--query=2", "--episodes=6"]


def test_evaluate_writes_what_it_prints(start, trained):
    run = trained["maml"]
    flags = [*EVALUATE, "--way=2", "--shot=3", "--part=val", "--baselines", "--json"]
    ended = start("evaluate", f"--run_dir={run}", *flags).wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    result = json.loads(ended.out.splitlines()[-1])
    written = json.loads((run / "results.json").read_text())
    assert len(written.pop("scores")) == 6
    assert written == result
    assert result.keys() >= {"metric", "mean", "ci95", "seconds", "normalisation"}
    fields = ("episodes", "seed", "split", "way", "shot", "query", "steps")
    assert [result[name] for name in fields] == [6, 1, "val", 2, 3, 2, 2]
    assert 0 <= result["mean"] <= 1 and result["ci95"] >= 0
    assert [point["step"] for point in result["curve"]] == [0, 1, 2]
    others = [baseline["learner"] for baseline in result["baselines"]]
    assert others == ["NearestNeighbour", "FromScratch"]
    for shown in ("MAML", *others, "while it adapts"):
        assert shown in ended.out
    drawn = [line for line in ended.out.splitlines() if line[0] in "┏┃│└"]
    assert len(drawn) > 10 and max(map(len, drawn)) <= 80


def test_evaluate_takes_another_way_where_the_learner_does(start, trained):
    flags = [*EVALUATE, "--way=5", "--shot=2", "--seed=7", "--json"]
    run = f"--run_dir={trained['protonet']}"
    ended = start("evaluate", run, "--which=last", *flags).wait()
    result = json.loads(ended.out.splitlines()[-1])
    assert (result["way"], result["split"], result["seed"]) == (5, "test", 7)


@pytest.mark.parametrize(("learner", "way"), [("protonet", 4), ("maml", 2)])
def test_an_exported_run_answers_as_the_run_does(
    start, trained, tmp_path, learner, way
):
    run = f"--run_dir={trained[learner]}"
    out = [f"--out={tmp_path}/served", "--names"]
    exported = start("export", run, *out, "--json").wait()
    assert (exported.code, exported.err) == (0, ""), exported.err
    assert (tmp_path / "served" / "1" / "saved_model.pb").exists()
    flags = [f"--exported={tmp_path}/served", f"--way={way}", "--query=2", "--json"]
    checked = start("check_export", run, *flags, "--episodes=3").wait()
    assert (checked.code, checked.err) == (0, ""), checked.err
    found = json.loads(checked.out.splitlines()[-1])
    assert found["difference"] < 1e-5 and 0 <= found["accuracy"] <= 1
    assert found["signatures"] == ["adapt_and_predict", "adapt_and_predict_names"]
    other = start("check_export", run, *flags, "--exported=none").wait().error()
    assert "holds no SavedModel" in other


def test_evaluate_needs_no_run_for_what_needs_no_training(start, npz):
    flags = [*EVALUATE, f"--dataset=npz:{npz}", "--learner=nearestneighbour", "--json"]
    ended = start("evaluate", *flags).wait()
    assert json.loads(ended.out.splitlines()[-1])["learner"] == "NearestNeighbour"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--run_dir={empty}"], "holds no trained run"),
        (["--run_dir={maml}", "--way=4"], "way=4 .* the net has 3"),
        (["--run_dir={protonet}", "--way=6"], "6 classes, but split 'test' has 5"),
        (["--run_dir={protonet}", "--dataset=glyphs"], "leave out --dataset"),
        (["--run_dir={protonet}", "--learner=maml"], "leave out --learner"),
        (["--learner=protonet", "--dataset=npz:{npz}"], "must be trained first"),
        (["--run_dir={maml}", "--eval_steps=-1"], "--eval_steps=-1"),
        (["--run_dir={maml}", "--part=all"], "test.*val.*train"),
    ],
)
def test_evaluate_refuses(start, trained, npz, tmp_path, flags, sentence):
    places = {"empty": tmp_path, "npz": npz, **trained}
    flags = [flag.format(**places) for flag in flags]
    assert_says(start("evaluate", *EVALUATE, *flags).wait().error(), sentence)
