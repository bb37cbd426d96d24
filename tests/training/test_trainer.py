"""The loop: what it continues, whom it tells, and when it stops."""

from __future__ import annotations

import json
import signal
import types

import keras
import numpy as np
import pytest
from trainer_cases import SOURCE, At, interrupt, protonet, trainer

from tfmeta import MetaModel
from tfmeta.learners import MAML, ProtoNet, Reptile
from tfmeta.nets import conv4, fresh, mlp
from tfmeta.training import RunFolder, Stream, Trainer, validation
from tfmeta.training import trainer as trainer_module


def plateau():
    # "min", so that Keras turns the sign of min_delta.
    return keras.callbacks.ReduceLROnPlateau(
        "val_accuracy", mode="min", patience=1, factor=0.5
    )


def numbers(folder) -> list[dict]:
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "tasks_per_s")}
        for row in rows
    ]


def weights(trained: Trainer) -> list[bytes]:
    model = trained.model
    groups = (model.learner.variables, model.optimizer.variables)
    return [np.asarray(v).tobytes() for group in groups for v in group]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    trained = trainer(folder, callbacks=[plateau()], patience=9)
    assert trained.run({"way": 3})["stopped"] is None
    return folder, trained


def test_what_a_rule_carries_goes_on_too(tmp_path) -> None:
    def run(name: str, **options) -> Trainer:
        conv = conv4(way=3, filters=3, strided=True, input_shape=(4, 4, 1))
        learner = Reptile(fresh(conv, seed=1), inner_batch=2, eval_steps=2)
        part = trainer(tmp_path / name, learner=learner, steps=6, **options)
        part.run()
        return part

    run("stopped", callbacks=[At(3, interrupt)])
    ends = [run("stopped"), run("whole")]
    assert weights(ends[0]) == weights(ends[1])
    assert all(np.any(v.numpy()) for v in ends[0].model.learner.rule.statistics)


def test_a_run_stopped_twice_equals_an_unbroken_one(unbroken, tmp_path):
    # Step 7 is inside an epoch and a report's window; 8 ends an epoch.
    for stop, number in ((7, signal.SIGTERM), (1, signal.SIGINT)):
        part = trainer(
            tmp_path,
            callbacks=[plateau(), At(stop, lambda n=number: interrupt(n))],
            patience=9,
        )
        # EarlyStopping's place among the callbacks must not change.
        part.callbacks = [part.callbacks[0], part.callbacks[2], part.callbacks[1]]
        result = part.run({"way": 3})
        assert (result["stopped"], result["new_steps"]) == (number.name, stop)
        if stop == 7:  # The other stop leaves its validation to the next start.
            assert part.callbacks[0].min_delta < 0
    end = trainer(tmp_path, callbacks=[plateau()], patience=9)
    result = end.run({"way": 3})
    assert result["new_steps"] == 4
    folder, whole = unbroken
    scores = [r["val_accuracy"] for r in numbers(folder) if "val_accuracy" in r]
    assert result["best"] == max(scores) > scores[-1]  # The best was before.
    assert numbers(tmp_path) == numbers(folder)
    assert weights(end) == weights(whole)
    for ours, theirs in zip(end.callbacks, whole.callbacks, strict=True):
        for kept in ("best", "wait", "min_delta"):
            assert getattr(ours, kept) == getattr(theirs, kept)
    assert whole.callbacks[0].best > 0
    assert RunFolder(tmp_path).best.exists()


def test_steps_may_grow_from_anywhere(unbroken, tmp_path):
    # 7 is the end of no window, epoch or checkpoint.
    assert trainer(tmp_path, callbacks=[plateau()], patience=9, steps=7).run()["best"]
    grown = trainer(tmp_path, callbacks=[plateau()], patience=9)
    grown.run()
    folder, whole = unbroken
    assert weights(grown) == weights(whole)
    # What the shorter run said at its end is left: a report and a validation.
    found = numbers(tmp_path)
    assert [row["step"] for row in found].count(7) == 2
    assert [row for row in found if row["step"] != 7] == numbers(folder)


def test_a_finished_run_is_read_and_no_more(unbroken, tmp_path):
    folder, whole = unbroken
    before = (folder / "metrics.jsonl").read_bytes()
    again = trainer(folder)
    result = again.run({"way": 3})
    assert (result["step"], result["new_steps"], result["stopped"]) == (12, 0, None)
    assert weights(again) == weights(whole)
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_an_early_stop_is_remembered(tmp_path):
    # No statistics either: at a rate of zero nothing changes.
    still = ProtoNet(fresh(mlp(units=(4,), input_shape=(4, 4, 1)), seed=0))
    for new_steps in (8, 0):
        stopped = trainer(tmp_path, learner=still, rate=0.0, patience=1, steps=99)
        result = stopped.run()
        assert result["stopped"] == "early"
        assert (result["step"], result["new_steps"]) == (8, new_steps)


def test_callbacks_are_called_as_fit_calls_them(tmp_path):
    calls = []

    class Listener(keras.callbacks.Callback):
        pass

    for name in ("train", "epoch", "test", "train_batch"):
        for end in ("begin", "end"):
            call = f"on_{name}_{end}"

            def note(self, *values, logs=None, _call=call):
                given = [*values, logs]
                index = [v for v in given if isinstance(v, int)]
                names = [sorted(v) for v in given if isinstance(v, dict) and index]
                calls.append((_call.removeprefix("on_"), *index, *sum(names, [])))

            setattr(Listener, call, note)
    listener = Listener()
    stopped = trainer(tmp_path, callbacks=[At(5, interrupt), listener], steps=9)
    stopped.run()
    assert listener.params["steps"] == 4 and listener.params["epochs"] == 2
    assert listener.model is stopped.model
    step = "accuracy", "gradient_norm", "loss"
    val = "val_accuracy", "val_accuracy_high", "val_accuracy_low"

    def batches(*numbers):
        for n in numbers:
            yield ("train_batch_begin", n)
            yield ("train_batch_end", n, *step)

    test = [("test_begin",), ("test_end",)]
    assert calls == [
        ("train_begin",),
        *[("epoch_begin", 0), *batches(0, 1, 2, 3), *test, ("epoch_end", 0, *val)],
        *[("epoch_begin", 1), *batches(0)],
        ("train_end",),
    ]
    calls.clear()
    trainer(tmp_path, callbacks=[At(99, interrupt), Listener()], steps=9).run()
    # An epoch that had begun is not begun again; a rest at the end is none.
    assert calls == [
        ("train_begin",),
        *[*batches(1, 2, 3), *test, ("epoch_end", 1, *val)],
        *[("epoch_begin", 2), *batches(0), *test],
        ("train_end",),
    ]


def test_a_loss_that_is_no_number_leaves_the_checkpoints(tmp_path):
    broken = trainer(tmp_path, checkpoint_every=2)
    spoil = broken.model.learner.trainable_variables[0]
    nan = np.full(spoil.shape, np.nan)
    broken.callbacks = [At(5, lambda: spoil.assign(nan))]
    with pytest.raises(FloatingPointError) as error:
        broken.run()
    assert "The loss is nan at step 6, task 0 (episode 10)." in str(error.value)
    assert "The training data are of seed 1." in str(error.value)
    last = RunFolder(tmp_path).last
    assert f"The last good checkpoint is {last}" in str(error.value)
    with np.load(last) as file:
        assert all(np.isfinite(file[n]).all() for n in file.files if "/" in n)
        assert json.loads(str(file["state_json"]))["step"] == 4
    assert trainer(tmp_path, checkpoint_every=2).run()["new_steps"] == 8


def test_a_gradient_that_is_no_number_reaches_no_checkpoint(tmp_path, monkeypatch):
    broken = trainer(tmp_path, checkpoint_every=1)
    learner = broken.model.learner
    exact = type(learner).meta_gradients

    def infinite(episode, options):
        loss, outputs, gradients = exact(learner, episode, options)
        return loss, outputs, [g / 0.0 for g in gradients]

    monkeypatch.setattr(learner, "meta_gradients", infinite)
    with pytest.raises(FloatingPointError, match="the meta-gradient is (inf|nan) at "):
        broken.run()
    assert not RunFolder(tmp_path).last.exists()


def test_a_second_signal_does_not_wait(tmp_path):
    def twice():
        interrupt(signal.SIGINT)
        interrupt(signal.SIGINT)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[At(2, twice)]).run()
    assert signal.getsignal(signal.SIGTERM) is before
    assert not RunFolder(tmp_path).last.exists()


def test_validation_does_not_count_as_training(tmp_path, monkeypatch):
    clock = [0.0]
    timed = types.SimpleNamespace(perf_counter=lambda: clock[0])
    monkeypatch.setattr(trainer_module, "time", timed)
    evaluate = validation.evaluate

    def slow(*args, **options):
        clock[0] += 1000
        return evaluate(*args, **options)

    def second():
        clock[0] += 1

    monkeypatch.setattr(validation, "evaluate", slow)
    run = trainer(tmp_path, callbacks=[At(n, second) for n in range(1, 13)])
    assert run.run()["seconds"] == 12  # Twelve steps of a second; 2 tasks in each.
    rows = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert [row["tasks_per_s"] for row in rows if "loss" in row] == [2.0] * 4


def test_a_process_that_keeps_nothing_trains_the_same(unbroken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, whole = unbroken
    silent = trainer(None, callbacks=[plateau()], patience=9)
    summary = silent.run({"way": 3})
    assert (summary["step"], summary["new_steps"], summary["stopped"]) == (12, 12, None)
    assert weights(silent) == weights(whole)
    scores = [r["val_accuracy"] for r in numbers(folder) if "val_accuracy" in r]
    assert summary["best"] == max(scores)
    assert not list(tmp_path.iterdir())
    broken = trainer(None)
    spoil = broken.model.learner.trainable_variables[0]
    spoil.assign(np.full(spoil.shape, np.nan))
    with pytest.raises(FloatingPointError, match="This process keeps no checkpoints"):
        broken.run()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"way": 11}, "way=11 needs 11 classes, but split 'train' has 10"),
        ({"train": Stream(3, 3, 4, 2)}, "shot=3 and query=4 need 7 examples"),
        ({"validation": Stream(7, 1, 2, 4)}, "way=7 needs 7 .*split 'val' has 6"),
        ({"validation": Stream(5, 1, 2, 4), "learner": "maml"}, "net has 3"),
        ({"train": Stream(3, 1, 2, 0)}, "tasks must be at least 1"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"log_every": 0}, "log_every must be at least 1"),
    ],
)
def test_what_cannot_be_served_is_refused_before_any_work(tmp_path, options, sentence):
    if options.get("learner"):
        options = {**options, "learner": MAML(mlp(outputs=3, input_shape=(4, 4, 1)))}
    with pytest.raises(ValueError, match=sentence):
        trainer(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_model_must_be_compiled(tmp_path):
    with pytest.raises(ValueError, match="must be compiled"):
        Trainer(
            MetaModel(protonet()),
            SOURCE,
            RunFolder(tmp_path),
            train=Stream(3, 1, 2, 2),
            validation=Stream(3, 1, 2, 2),
            steps=1,
        )


def test_callbacks_get_what_they_had_and_keep_what_they_are_told(tmp_path):
    def stopping(patience):
        return keras.callbacks.EarlyStopping("val_accuracy", patience=patience)

    first = [keras.callbacks.CSVLogger(tmp_path / "old.csv"), stopping(50)]
    trainer(tmp_path / "run", callbacks=[*first, At(9, interrupt)]).run()
    assert first[1].best is not None
    second = [stopping(60), keras.callbacks.CSVLogger(tmp_path / "new.csv")]
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: seen.append(
            (second[0].best, second[0].wait)
        )
    )
    trainer(tmp_path / "run", callbacks=[*second, note]).run()
    assert seen[0] == (first[1].best, first[1].wait)
    assert second[0].patience == 60
    assert (tmp_path / "new.csv").exists()


def test_a_model_whose_rate_was_lowered_trains_on(tmp_path):
    lowering = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_, **__: setattr(
            run.model.optimizer, "learning_rate", 0.01
        )
    )
    run = trainer(tmp_path, callbacks=[lowering])
    run.run()
    more = Trainer(
        run.model,
        SOURCE,
        RunFolder(tmp_path),
        train=run.train,
        validation=run.validation,
        steps=14,
        seed=1,
        log_every=3,
        validate_every=4,
    )
    assert more.run()["new_steps"] == 2
