"""Nets that ship, where the apps take a run."""

from __future__ import annotations

import json

import pytest

from tfmeta.zoo import catalogue

FEW = ("--way=3", "--query=2", "--episodes=4", "--json")


def kept() -> dict[str, int]:
    """The files of the zoo, and when they were written."""
    files = (path for path in catalogue._NETS.rglob("*") if path.is_file())
    return {str(path): path.stat().st_mtime_ns for path in files}


def told(ended) -> dict:
    """The last line, which is JSON."""
    return json.loads(ended.out.splitlines()[-1])


def test_a_net_is_scored_and_compared_and_nothing_is_written_there(start) -> None:
    before = kept()
    scored = told(start("evaluate", "--zoo=glyphs_protonet", *FEW).wait())
    assert scored["learner"] == "ProtoNet" and scored["mean"] > 0.6
    names = ("--run_dir=zoo:glyphs_protonet", "--against=zoo:glyphs_maml")
    compared = told(start("compare", *names, *FEW).wait())
    assert compared["a"]["mean"] == scored["mean"]
    assert compared["b"]["normalisation"] == "support"
    assert kept() == before


def test_episodes_by_superclass_are_asked_of_a_run_anew(start) -> None:
    asked = ("evaluate", "--zoo=glyphs_protonet", *FEW, "--by_superclass")
    scored = told(start(*asked).wait())
    assert scored["source"] == "glyphs by superclass"
    asked = ("compare", "--run_dir=zoo:glyphs_protonet", "--against=nearestneighbour")
    compared = told(start(*asked, *FEW, "--by_superclass").wait())
    assert compared["source"] == "glyphs by superclass"
    assert compared["a"]["mean"] == scored["mean"]


def test_a_net_is_exported_and_trained_on(start, tmp_path) -> None:
    out = tmp_path / "exported"
    start("export", "--zoo=glyphs_protonet", f"--out={out}").wait()
    assert (out / "1" / "saved_model.pb").exists()
    flags = ("--learner=protonet", "--dataset=glyphs", "--strided", "--steps=1")
    flags += ("--init_from=zoo:glyphs_protonet", "--val_episodes=4", "--tasks=1")
    ended = start("train", *flags, f"--run_dir={tmp_path}/run").wait()
    assert "Weights of zoo:glyphs_protonet: " in ended.out
    assert (tmp_path / "run" / "checkpoints" / "last.npz").exists()


@pytest.mark.parametrize(
    ("app", "flags", "sentence"),
    [
        (
            "evaluate",
            ["--zoo=glyphs_protone"],
            "no net 'glyphs_protone' in the zoo. Did",
        ),
        ("evaluate", ["--zoo=x"], "no net 'x' in the zoo. See tfmeta.zoo.names()"),
        ("evaluate", ["--zoo=glyphs_maml", "--run_dir=r"], "both name a net"),
        ("evaluate", ["--zoo=glyphs_maml", "--which=last"], "has one checkpoint"),
        ("evaluate", ["--zoo=glyphs_maml", "--protocol=lake"], "a run on glyphs"),
        ("export", ["--zoo=glyphs_maml"], "nothing is written there. Give --out"),
        ("export", ["--zoo=glyphs_maml", "--out=o", "--calibrated"], "--temperature"),
        ("export", [], "Give --run_dir or --zoo."),
        (
            "train",
            ["--learner=protonet", "--dataset=glyphs", "--run_dir=zoo:x"],
            "must name a folder to write",
        ),
        (
            "train",
            [
                *("--learner=protonet", "--dataset=glyphs", "--run_dir=r"),
                "--init_from=zoo:x",
            ],
            "no net 'x' in the zoo",
        ),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(start, app, flags, sentence) -> None:
    assert sentence in start(app, *flags).wait().error()
