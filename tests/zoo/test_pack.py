"""Runs that are made small, and nets that are loaded by name."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from trainer_cases import SOURCE, trainer

from tfmeta import zoo
from tfmeta.learners import ProtoNet
from tfmeta.nets import conv4, fresh
from tfmeta.npz_files import read_npz
from tfmeta.serving import save_checkpoint
from tfmeta.training import RunFolder
from tfmeta.zoo import catalogue

CARD = {
    "about": "tells vectors apart",
    "data": "random numbers",
    "licence": "none",
    "open": True,
    "use": "any",
    "classes": "10 seen",
    "recipe": "none",
    "command": "none",
    "commit": "none",
    "date": "2026-11-28",
    "minutes": 1,
    "scored": 1,
    "scores": [
        {
            "normalisation": "running",
            "way": 3,
            "shot": 1,
            "query": 2,
            "episodes": 4,
            "seed": 1,
            "metric": "accuracy",
            "mean": 0.5,
            "ci95": 0.1,
        }
    ],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    folder = tmp_path_factory.mktemp("run")
    net = conv4(filters=3, strided=True, input_shape=(4, 4, 1))
    trainer(folder, learner=ProtoNet(fresh(net, seed=1))).run(
        {"data_dir": "/somewhere", "dataset": "numbers"}
    )
    return RunFolder(folder)


@pytest.fixture
def shelf(run, tmp_path, monkeypatch):
    """A zoo of two nets, of which one is of data for research alone."""
    for name, free in (("ours_free", True), ("theirs", False)):
        packed = zoo.pack(run.path, tmp_path / name)
        files = ["config.json", "prepare.keras", "checkpoints/best.npz"]
        sums = {file: catalogue.sha256(packed.path / file) for file in files}
        card = {**CARD, "open": free, "sha256": sums}
        (packed.path / "card.json").write_text(json.dumps(card))
    monkeypatch.setattr(catalogue, "_NETS", tmp_path)
    return tmp_path


def test_a_packed_run_is_small_and_has_the_best_weights(run, tmp_path) -> None:
    packed = zoo.pack(run.path, tmp_path / "packed")
    size = sum(p.stat().st_size for p in packed.path.rglob("*") if p.is_file())
    assert size < 0.5 * sum(
        p.stat().st_size for p in run.path.rglob("*") if p.is_file()
    )
    arrays = read_npz(packed.best)
    assert {a.dtype for a in arrays.values() if a.dtype.kind == "f"} == {
        np.dtype("float16")
    }
    theirs, ours = (r.load_model().learner.net.get_weights() for r in (run, packed))
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-6)
    assert any(np.any(a != b) for a, b in zip(theirs, ours, strict=True))
    told = json.loads(packed.config_file.read_text())["flags"]
    assert told == {"dataset": "numbers"}


def test_a_packed_run_keeps_the_mode_that_is_asked_for(run, tmp_path) -> None:
    packed = zoo.pack(run.path, tmp_path / "packed", normalisation="support")
    assert packed.load_model().learner.mode == "support"


def test_numbers_too_small_for_half_precision_stay_whole(run, tmp_path) -> None:
    learner = run.load_model().learner
    small = learner.statistics[0]
    small.assign(np.full(small.shape, 1e-9, np.float32))
    weights = {"learner": learner.variables}
    folder = RunFolder(shutil.copytree(run.path, tmp_path / "copy"))
    save_checkpoint(folder.best, weights, {"step": 1})
    packed = zoo.pack(folder.path, tmp_path / "packed")
    kinds = {
        a.dtype.name for a in read_npz(packed.best).values() if a.dtype.kind == "f"
    }
    assert kinds == {"float16", "float32"}
    kept = packed.load_model().learner.statistics[0].numpy()
    np.testing.assert_allclose(kept, 1e-9, rtol=1e-6)


def test_a_run_packed_in_another_mode_can_still_take_its_own(run, tmp_path) -> None:
    packed = zoo.pack(run.path, tmp_path / "packed", normalisation="support")
    model = packed.load_model(normalisation="running")
    assert model.learner.mode == "running"


def test_what_cannot_be_packed_is_refused(run, tmp_path) -> None:
    with pytest.raises(ValueError, match="holds no trained run"):
        zoo.pack(tmp_path / "none", tmp_path / "packed")
    with pytest.raises(ValueError, match="exists. Choose a folder"):
        zoo.pack(run.path, tmp_path)
    with pytest.raises(ValueError, match="which must be .* Received: 'Best'"):
        zoo.pack(run.path, tmp_path / "packed", which="Best")
    large = trainer(tmp_path / "large")
    large.model.learner.net.trainable_weights[0].assign_add(
        np.full(large.model.learner.net.trainable_weights[0].shape, 1e5, np.float32)
    )
    large.run({})
    with pytest.raises(ValueError, match="half precision cannot"):
        zoo.pack(tmp_path / "large", tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_nets_are_loaded_by_name(shelf) -> None:
    assert zoo.names() == ["ours_free", "theirs"]
    assert zoo.names(open=True) == ["ours_free"]
    card = zoo.card("theirs")
    assert card.scores[0].mean == 0.5 and not card.open
    assert zoo.Card.from_json("theirs", card.to_json()) == card
    told = str(card)
    assert "theirs: tells vectors apart" in told
    assert "3-way 1-shot, running: accuracy 0.5000 ± 0.1000 (4 episodes" in told
    model = zoo.load("theirs")
    task = model.adapt(SOURCE.test.x[[0, 6]], ["a", "b"])
    assert task.predict(SOURCE.test.x[:3]).shape == (3, 2)
    assert zoo.load("theirs", normalisation="task").learner.mode == "task"


def test_another_name_and_another_file_are_refused(shelf) -> None:
    with pytest.raises(ValueError, match="no net 'our_free' .* mean ours_free"):
        zoo.load("our_free")
    with pytest.raises(ValueError, match="no net 'x' in the zoo. See tfmeta.zoo.names"):
        zoo.card("x")
    path = shelf / "theirs/checkpoints/best.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged: .* 'theirs' must have the check"):
        zoo.load("theirs")
    path.unlink()
    with pytest.raises(ValueError, match="is missing"):
        zoo.load("theirs")
