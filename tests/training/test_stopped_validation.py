"""A run that is stopped in a validation, and continued, equals an unbroken one."""

from __future__ import annotations

import json
import signal
from typing import Any

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trainer_cases import At, interrupt, trainer

from tfmeta.evaluation.scorer import Scorer
from tfmeta.evaluation.short_calls import Pace
from tfmeta.learners import ProtoNet
from tfmeta.nets import fresh, mlp
from tfmeta.training import RunFolder, Trainer

TIMES = ("seconds", "tasks_per_s")


class Counts(keras.callbacks.Callback):
    """Counts what begins and ends, in attributes that checkpoints keep."""

    def __init__(self):
        super().__init__()
        self.begun = self.ended = self.epochs = 0

    def on_test_begin(self, logs=None):
        self.begun += 1

    def on_test_end(self, logs=None):
        self.ended += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Pictures change no number and take most of the time."""
    validation = "tfmeta.training.validation.validation_pictures"
    monkeypatch.setattr(validation, lambda *_, **__: {})


def run(folder, *callbacks, **options) -> Trainer:
    """Validates moving averages of the weights, and trains on without them."""
    optimizer = keras.optimizers.Adam(0.05, use_ema=True)
    plateau = keras.callbacks.ReduceLROnPlateau(
        "val_accuracy", mode="min", patience=1, factor=0.5
    )
    return trainer(
        folder,
        learner=learner(),
        optimizer=optimizer,
        patience=9,
        callbacks=[plateau, Counts(), *callbacks],
        **options,
    )


def learner() -> ProtoNet:
    """With dropout, whose draws must go on too."""
    layers = [mlp(units=(4,), input_shape=(4, 4, 1)), keras.layers.Dropout(0.3, seed=1)]
    net = keras.Sequential(layers)
    net.build((None, 4, 4, 1))
    return ProtoNet(fresh(net, seed=0))


@pytest.fixture
def stop_in_validation(monkeypatch):
    """Sends a signal in the second call of the next validation's scorer."""
    score, left = Scorer.__call__, []

    def scoring(self, x, y):
        assert not left or left[0] > 0, "the validation goes on"
        scores = score(self, x, y)
        if left:
            left[0] -= 1
            if left[0] == 0:
                interrupt(signal.SIGINT)
        return scores

    # A task in a call, and four in a validation.
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr(Pace, "took", lambda *_: None)
    monkeypatch.setattr(Scorer, "__call__", scoring)

    def arm(calls: int) -> None:
        left[:] = [calls] if calls else []

    return arm


def metrics(folder) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    rows = map(json.loads, lines)
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    (events,) = (folder / "tensorboard").iterdir()
    found = EventAccumulator(str(events), {"scalars": 0}).Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
        if not tag.endswith(TIMES)
    }


def arrays(path) -> dict[str, bytes]:
    with np.load(path) as file:
        return {name: file[name].tobytes() for name in file.files if "/" in name}


def state(path) -> dict[str, Any]:
    with np.load(path) as file:
        found = json.loads(str(file["state_json"]))
    return {name: value for name, value in found.items() if name != "seconds"}


def test_a_run_stopped_in_its_validations_equals_an_unbroken_one(
    stop_in_validation, tmp_path
):
    whole, parts = tmp_path / "whole" / "run", tmp_path / "parts" / "run"
    last = run(whole)
    assert last.run()["stopped"] is None

    # Before the validation of step 4 begins; then in it.
    stopped = run(parts, At(4, interrupt)).run()
    assert (stopped["step"], stopped["stopped"]) == (4, "SIGTERM")
    stop_in_validation(2)
    stopped = run(parts).run()
    assert (stopped["step"], stopped["new_steps"]) == (4, 0)
    assert stopped["stopped"] == "SIGINT" and stopped["best"] is None
    assert not RunFolder(parts).best.exists()
    assert [row["step"] for row in metrics(parts)] == [3]
    # In the last validation, of step 12, whose report of training is due too.
    stop_in_validation(4 + 4 + 3)
    stopped = run(parts).run()
    assert (stopped["step"], stopped["stopped"]) == (12, "SIGINT")
    stop_in_validation(0)
    end = run(parts)
    result = end.run()
    assert (result["step"], result["stopped"]) == (12, None)

    assert metrics(parts) == metrics(whole)
    assert [row["step"] for row in metrics(parts)] == [3, 4, 6, 8, 9, 12, 12]
    for name in ("last.npz", "best.npz"):
        ours, theirs = parts / "checkpoints" / name, whole / "checkpoints" / name
        assert arrays(ours) == arrays(theirs)
        assert state(ours) == state(theirs)
    counts = end.callbacks[1]
    assert (counts.begun, counts.ended, counts.epochs) == (3, 3, 3)
    assert scalars(parts) == scalars(whole)


def test_a_process_killed_after_a_validation_reports_it_once(tmp_path, monkeypatch):
    """The checkpoint is from before the validation, whose numbers are written."""

    class Killed(BaseException):
        pass

    def die(*args):
        raise Killed

    whole, parts = tmp_path / "whole" / "run", tmp_path / "parts" / "run"
    run(whole).run()
    broken = run(parts)
    broken.callbacks[1].on_test_end = die
    with pytest.raises(Killed):
        broken.run()
    assert [row["step"] for row in metrics(parts)] == [3, 4]
    assert run(parts).run()["new_steps"] == 8
    assert metrics(parts) == metrics(whole)
    assert scalars(parts) == scalars(whole)
    assert state(parts / "checkpoints" / "last.npz") == state(
        whole / "checkpoints" / "last.npz"
    )
