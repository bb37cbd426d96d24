"""Training on functions and on episodes of varying size."""

from __future__ import annotations

import json
import os
import signal

import keras
import numpy as np
import pytest

from tfmeta import MetaModel
from tfmeta.data import from_arrays, load
from tfmeta.learners import MAML, ProtoNet
from tfmeta.nets import fresh, mlp
from tfmeta.training import RunFolder, Stream, Trainer
from tfmeta.training.step import task_map_choice

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(20, 1, 6)) + DRAWS.normal(0, 0.5, (20, 9, 6))
CLASSES = from_arrays(
    X.reshape(-1, 6).astype(np.float32),
    np.repeat(np.arange(20), 9),
    split=(0.5, 0.3, 0.2),
)
FUNCTIONS = load("sinusoid")


def regression() -> MAML:
    return MAML(fresh(mlp(outputs=1, units=(8,)), seed=0), inner_lr=0.01)


def protonet() -> ProtoNet:
    return ProtoNet(fresh(mlp(units=(8,), input_shape=(6,)), seed=0))


def trainer(folder, source, learner, *, rate=0.01, task_map="loop", **options):
    model = MetaModel(learner, task_map=task_map)
    metric = "accuracy" if source is CLASSES else "mse"
    model.compile(keras.optimizers.Adam(rate), metrics=[metric])
    return Trainer(
        model,
        source,
        RunFolder(folder),
        **{"steps": 6, "log_every": 2, "validate_every": 3, **options},
    )


def on_functions(folder, **options):
    return trainer(
        folder,
        FUNCTIONS,
        regression(),
        **{
            "train": Stream(None, 5, 10, 4),
            "validation": Stream(None, 5, 10, 20),
            **options,
        },
    )


def on_classes(folder, **options):
    return trainer(
        folder,
        CLASSES,
        protonet(),
        **{
            "train": Stream((2, 5), (1, 4), 3, 4),
            "validation": Stream(3, 1, 3, 8),
            **options,
        },
    )


class StopAfter(keras.callbacks.Callback):
    def __init__(self, steps):
        super().__init__()
        self.left = [steps]

    def on_train_batch_end(self, batch, logs=None):
        self.left[0] -= 1
        if not self.left[0]:
            os.kill(os.getpid(), signal.SIGTERM)


def rows(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    clocks = ("seconds", "tasks_per_s")
    return [{k: v for k, v in row.items() if k not in clocks} for row in lines]


def weights(trained):
    model = trained.model
    groups = (model.learner.variables, model.optimizer.variables)
    return [np.asarray(v).tobytes() for group in groups for v in group]


def test_the_best_of_an_error_is_the_lowest(tmp_path):
    # A rate so high that the error rises in the end.
    run = on_functions(tmp_path, rate=0.3, steps=30)
    summary = run.run()
    errors = {r["step"]: r["val_mse"] for r in rows(tmp_path) if "val_mse" in r}
    best = min(errors, key=errors.__getitem__)
    assert summary["best"] == errors[best] < errors[30]
    with np.load(RunFolder(tmp_path).best) as file:
        assert json.loads(str(file["state_json"]))["step"] == best
    trained = [row for row in rows(tmp_path) if "loss" in row]
    assert all(row["mse"] == pytest.approx(row["loss"], rel=1e-5) for row in trained)
    assert on_functions(tmp_path, rate=0.3, steps=30).run()["best"] == errors[best]


def test_patience_waits_for_a_lower_error(tmp_path):
    summary = on_functions(tmp_path / "still", rate=0.0, patience=2, steps=99).run()
    assert (summary["stopped"], summary["step"]) == ("early", 9)
    # A falling error is a better one.
    assert on_functions(tmp_path / "falls", patience=1).run()["stopped"] is None
    errors = [r["val_mse"] for r in rows(tmp_path / "falls") if "val_mse" in r]
    assert errors == sorted(errors, reverse=True)


STREAMS = {
    "ranges": (on_classes, {}),
    "unequal shots": (
        on_classes,
        {"train": Stream((2, 5), (1, 4), 3, 4, unequal_shots=True)},
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stopped_run_equals_an_unbroken_one(name, tmp_path, monkeypatch):
    monkeypatch.setattr(task_map_choice, "_seconds", None)  # Nothing is timed.
    make, options = STREAMS[name]
    options = {**options, "task_map": "auto"}
    whole = make(tmp_path / "whole", **options)
    whole.run()
    assert whole.model.task_map == "loop"
    part = make(tmp_path / "parts", callbacks=[StopAfter(4)], **options)
    assert part.run()["new_steps"] == 4
    end = make(tmp_path / "parts", **options)
    assert end.run()["step"] == 6
    assert weights(end) == weights(whole)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


@pytest.mark.parametrize(
    ("make", "options", "sentence"),
    [
        (on_classes, {"train": Stream((2, 11), 1, 3, 4)}, "way=11 needs 11 classes"),
        (on_classes, {"validation": Stream((2, 3), 1, 3, 4)}, "needs one way"),
        (on_classes, {"train": Stream(None, 1, 3, 4)}, "Received: way=None. Give way"),
        (on_functions, {"train": Stream(5, 1, 3, 4)}, "way=5 asks for classes"),
    ],
)
def test_streams_that_there_are_not(make, options, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        make(tmp_path, **options)


def test_a_range_must_fit_the_head():
    learner = MAML(mlp(outputs=4, input_shape=(6,)))
    with pytest.raises(ValueError, match="way=5 .*the net has 4"):
        Stream((2, 5), 1, 3, 4).check(CLASSES.train, learner)


def test_a_classifier_is_not_trained_on_functions():
    stream = Stream(None, 5, 3, 4)
    with pytest.raises(
        ValueError, match=r"Received: ProtoNet, which learns classes\.$"
    ):
        stream.check(FUNCTIONS.train, ProtoNet(mlp()))
    with pytest.raises(ValueError, match="Received: MAML, which fails on them"):
        stream.check(FUNCTIONS.train, MAML(mlp(outputs=3), targets="values"))
