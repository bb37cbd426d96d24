"""What a run folder refuses, and what it lets through."""

from __future__ import annotations

import json
import os

import keras
import numpy as np
import pytest

from tfmeta import MetaModel
from tfmeta.data import Source, from_arrays
from tfmeta.layers import BatchNorm
from tfmeta.learners import ProtoNet
from tfmeta.nets import mlp
from tfmeta.serving.checkpoint import save_checkpoint
from tfmeta.training import RunFolder
from tfmeta.training.run.chief import Chief
from tfmeta.training.run.reporters import Reporter

FLAGS = {"way": 5, "seed": 0, "data_dir": None, "steps": 10}


def source(classes: int = 20, examples: int = 3) -> Source:
    """Classes named after numbers, split at random."""
    y = np.repeat(np.arange(classes), examples)
    return from_arrays(np.zeros((len(y), 3), np.float32), y, split=(0.6, 0.2, 0.2))


@pytest.fixture
def model():
    net = mlp(units=(2,), input_shape=(3,))
    return MetaModel(ProtoNet(net), task_map="loop")


@pytest.fixture
def run(tmp_path, model):
    """A folder with a run and its checkpoint."""
    run = RunFolder(tmp_path / "run")
    run.make()
    run.write_config(FLAGS, model, source())
    save_checkpoint(run.last, {"learner": model.learner.variables}, {"step": 3})
    return run


def test_the_same_flags_continue(run):
    run.check_flags(FLAGS)
    run.check_flags({**FLAGS, "data_dir": "elsewhere", "steps": 20, "json": True})
    run.check_flags({**FLAGS, "added_since": 3})


def test_other_flags_are_named(run):
    with pytest.raises(ValueError, match="other flags: seed was 0 and is 1; way was 5"):
        run.check_flags({**FLAGS, "way": 3, "seed": 1})
    with pytest.raises(ValueError, match="was started with data_dir, seed"):
        run.check_flags({})


@pytest.mark.parametrize("draws", [None, 0, 2])
def test_a_run_of_other_draws_is_scored_and_not_continued(run, model, draws):
    config = json.loads(run.config_file.read_text())
    assert config.pop("draws") == 1
    if draws is not None:
        config["draws"] = draws
    run.config_file.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="drew other episodes.*scored and exported"):
        run.check_flags(FLAGS)
    read = run.load_model().learner.variables
    for ours, theirs in zip(model.learner.variables, read, strict=True):
        assert (ours.numpy() == theirs.numpy()).all()
    run.last.unlink()  # Nothing is lost: it may start anew.
    run.check_flags(FLAGS)


def test_flags_of_other_libraries_in_an_older_config_do_not_matter(run, model):
    run.write_config({**FLAGS, "delta_threshold": 0.5}, model, source())
    run.check_flags(FLAGS)


def test_a_run_without_checkpoint_has_nothing_to_lose(run):
    run.last.unlink()
    run.check_flags({**FLAGS, "way": 3})
    assert run.task_map({**FLAGS, "way": 3}) is None
    assert run.task_map({**FLAGS, "steps": 99}) == "loop"


def test_a_new_folder_has_no_task_map(tmp_path):
    assert RunFolder(tmp_path / "new").task_map(FLAGS) is None
    assert not (tmp_path / "new").exists()


def test_the_model_comes_back(run, model):
    read = run.load_model("best")  # No best.npz: the last.
    assert read.task_map == "loop"
    for ours, theirs in zip(
        model.learner.variables, read.learner.variables, strict=True
    ):
        assert (ours.numpy() == theirs.numpy()).all()


@pytest.mark.parametrize("lost", ["config_file", "last"])
def test_a_folder_without_a_run_is_no_model(run, lost):
    getattr(run, lost).unlink()
    with pytest.raises(ValueError, match="holds no trained run"):
        run.load_model()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"flags": {', "cannot be read as JSON"),
        ("[]", "not a config.json of a run folder"),
        ('{"flags": {}}', "not a config.json of a run folder"),
    ],
)
def test_a_broken_config_is_a_sentence(run, content, sentence):
    run.config_file.write_text(content)
    for use in (lambda: run.check_flags(FLAGS), run.load_model):
        with pytest.raises(ValueError, match=sentence):
            use()


def test_a_place_for_no_folder_is_refused_and_nothing_made(tmp_path):
    (tmp_path / "file").write_text("")
    run = RunFolder(tmp_path / "file" / "run")
    for refuse in (run.check_writable, run.make):
        with pytest.raises(ValueError, match="cannot be written.*another run folder"):
            refuse()
    RunFolder(tmp_path / "a" / "b").check_writable()
    assert os.listdir(tmp_path) == ["file"]


def test_two_processes_do_not_train_in_one_folder(run):
    other = RunFolder(run.path)
    with run.locked():
        with pytest.raises(ValueError, match="Another process trains in"):
            other.locked().__enter__()
    with other.locked():
        pass


def test_classes_that_moved_are_refused(run):
    for to_train in (True, False):
        run.check_data(source(), to_train=to_train)
    run.check_data(source(examples=4))  # More pictures of the same classes.
    with pytest.raises(ValueError, match="other numbers of examples in train, val"):
        run.check_data(source(examples=4), to_train=True)
    for to_train in (True, False):
        with pytest.raises(ValueError, match="other classes in train.*train anew"):
            run.check_data(source(21), to_train=to_train)


def test_examples_that_moved_are_refused(run, model):
    """The classes stay the same, but a test example may have been trained on."""

    def shared(examples: int = 8, seed: int = 0) -> Source:
        y = np.repeat(np.arange(4), examples)
        x = np.zeros((len(y), 3), np.float32)
        return from_arrays(x, y, seed=seed, disjoint="examples")

    run.write_config(FLAGS, model, shared())
    for to_train in (False, True):
        run.check_data(shared(), to_train=to_train)
        for moved in (shared(seed=1), shared(examples=9)):
            with pytest.raises(ValueError, match="other examples in train, val, test"):
                run.check_data(moved, to_train=to_train)


def test_a_folder_without_a_run_takes_any_data(tmp_path, model):
    run = RunFolder(tmp_path / "new")
    run.check_data(source(), to_train=True)
    run.make()
    run.write_config(FLAGS, model, source())
    run.check_data(source(21), to_train=True)  # It has no checkpoint: nothing is lost.


def test_a_config_without_a_learner_is_refused(run):
    run.config_file.write_text('{"flags": {}, "task_map": "loop"}')
    with pytest.raises(ValueError, match="is not a config.json"):
        run.load_model()


def test_averages_that_were_not_kept_are_not_used(tmp_path):
    net = keras.Sequential([keras.Input((3,)), BatchNorm()])
    for trained, fails in (("support", True), ("running", False)):
        run = RunFolder(tmp_path / trained)
        run.make()
        learner = ProtoNet(net, normalisation=trained)
        run.write_config(FLAGS, MetaModel(learner, task_map="loop"), source())
        save_checkpoint(run.last, {"learner": learner.variables}, {"step": 1})
        assert run.load_model(normalisation="task").learner.normalisation == "task"
        if not fails:
            run.load_model(normalisation="running")
            continue
        with pytest.raises(ValueError, match="which keeps no moving averages"):
            run.load_model(normalisation="running")


def test_a_net_without_averages_may_be_asked_in_any_mode(run):
    learner = run.load_model(normalisation="running").learner
    assert (learner.normalisation, learner.mode) == ("running", "none")


def test_other_versions_are_noted_when_a_run_goes_on(run, model):
    notes = []

    class Notes(Reporter):
        def note(self, text):
            notes.append(text)

    def go_on():
        chief = Chief(run, [Notes()], metric="accuracy")
        with chief.reporting(FLAGS, model, source(), 3, 9):
            pass

    config = json.loads(run.config_file.read_text())
    now = dict(config["versions"])
    go_on()
    assert notes == []
    del config["versions"]["tfmeta"]  # Not known is no difference.
    config["versions"] |= {"python": "3.10", "keras": "3.0.1", "numpy": "1.9"}
    run.config_file.write_text(json.dumps(config))
    go_on()
    go_on()  # The versions of the start before are those of now.
    assert notes == [
        f"The run in {run.path} was trained under keras 3.0.1, numpy 1.9 and goes on "
        f"under keras {now['keras']}, numpy {now['numpy']}: its numbers may part from "
        "those of an unbroken run."
    ]
    config["versions"]["numpy"] = "1.9"
    run.config_file.write_text(json.dumps(config))
    run.last.unlink()  # There is nothing to go on from.
    go_on()
    assert len(notes) == 1
