"""A run that goes on by a trainer set otherwise is refused, and told why."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tfmeta import MetaModel
from tfmeta.data import from_arrays
from tfmeta.learners import ProtoNet
from tfmeta.nets import mlp
from tfmeta.serving.checkpoint import save_checkpoint
from tfmeta.training import RunFolder
from tfmeta.training.chief import Chief, Worker

SOURCE = from_arrays(
    np.zeros((60, 3), np.float32), np.repeat(np.arange(20), 3), split=(0.6, 0.2, 0.2)
)
SETTINGS = {
    "seed": 0,
    "steps": 10,
    "optimizer/learning_rate": 0.1,
    "optimizer/clipnorm": None,
    "train/way": (3, 5),
    "model": "MetaModel",
}


def start(folder, settings=None, flags=None):
    """What a trainer does of a run: all but the training."""
    model = MetaModel(ProtoNet(mlp(units=(2,), input_shape=(3,))), task_map="loop")
    chief, flags = Chief(RunFolder(folder)), flags or {}
    options = {} if settings is None else {"settings": settings}
    with chief.at_work(flags, SOURCE, **options):
        with chief.reporting(flags, model, SOURCE, 0, 10):
            pass
        groups = {"learner": model.learner.variables}
        save_checkpoint(chief.run.last, groups, {"step": 3})


def test_the_same_settings_continue(tmp_path):
    for _ in range(2):
        start(tmp_path, SETTINGS)
    kept = json.loads((tmp_path / "config.json").read_text())
    assert kept["settings"] == {**SETTINGS, "train/way": [3, 5]} and kept["flags"] == {}
    assert RunFolder(tmp_path).load_model().learner


def test_every_difference_is_named(tmp_path):
    start(tmp_path, SETTINGS)
    other = {
        "seed": 1,
        "optimizer/learning_rate": 0.2,
        "optimizer/clipnorm": 1.0,
        "train/way": 5,
    }
    with pytest.raises(ValueError) as caught:
        start(tmp_path, {**SETTINGS, **other})
    assert str(caught.value) == (
        f"{tmp_path} holds a run of other settings (optimizer/clipnorm: None before, "
        "1.0 now; optimizer/learning_rate: 0.1 before, 0.2 now; seed: 0 before, 1 now; "
        "train/way: [3, 5] before, 5 now). Use another run folder, or the same "
        "settings to continue it."
    )
    start(tmp_path, SETTINGS)  # The refused start has changed nothing.


def test_steps_may_grow_and_settings_may_be_added(tmp_path):
    start(tmp_path, SETTINGS)
    start(tmp_path, {**SETTINGS, "steps": 20})
    start(tmp_path, {**SETTINGS, "a_setting_of_later": True})
    start(tmp_path, {"seed": 0})


def test_a_number_that_json_has_not_is_equal_to_itself(tmp_path):
    for _ in range(2):
        start(tmp_path, {"patience": math.inf, "rate": float("nan")})


def test_a_run_without_settings_continues(tmp_path):
    start(tmp_path)
    config = tmp_path / "config.json"
    old = json.loads(config.read_text())
    del old["settings"]
    config.write_text(json.dumps(old))
    start(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match="seed: 0 before, 1 now"):
        start(tmp_path, {**SETTINGS, "seed": 1})


def test_a_run_without_checkpoint_starts_anew_with_others(tmp_path):
    start(tmp_path, SETTINGS)
    (tmp_path / "checkpoints" / "last.npz").unlink()
    start(tmp_path, {**SETTINGS, "seed": 1})
    with pytest.raises(ValueError, match="seed: 1 before, 0 now"):
        start(tmp_path, SETTINGS)


def test_flags_are_compared_first_and_as_ever(tmp_path):
    start(tmp_path, SETTINGS, {"seed": 0, "data_dir": "here"})
    start(tmp_path, SETTINGS, {"seed": 0, "data_dir": "there"})
    with pytest.raises(ValueError, match="other flags: seed was 0 and is 1"):
        start(tmp_path, {**SETTINGS, "seed": 1}, {"seed": 1})


def test_a_worker_takes_settings_too():
    with Worker().at_work({}, SOURCE, settings=SETTINGS):
        pass
