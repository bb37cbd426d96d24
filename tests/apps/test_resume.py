"""Training that is killed, stopped and continued reaches the same numbers."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import re
import select
import signal

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TIMES = ("seconds", "tasks_per_s", "examples_per_s")
LEARNERS = {
    "maml": ["--learner=maml", "--inner_steps=2", "--eval_steps=3"],
    "protonet": ["--learner=protonet", "--normalisation=running", "--halve_every=7"],
    "pretrained": ["--learner=linearprobe", "--batch_size=4", "--eval_steps=2"],
}


def rows(run: pathlib.Path) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def numbers(run: pathlib.Path) -> list[dict]:
    """The rows without what no clock repeats."""
    return [{k: v for k, v in r.items() if k not in TIMES} for r in rows(run)]


def arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files if "/" in name}


def assert_same_arrays(path: pathlib.Path, other: pathlib.Path) -> None:
    ours, theirs = arrays(path), arrays(other)
    assert {n.split("/")[0] for n in ours} >= {"learner", "optimizer", "metrics"}
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert array.tobytes() == theirs[name].tobytes(), name


def killed_while_writing(path: pathlib.Path, start, *command: str) -> None:
    """Starts a script and kills it in the middle of writing a file.

    A pipe that holds less than the file lies in its place: the script waits in it
    until killed. What has gone through is left there, as a file cut short.
    """
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        holds = fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        running = start(*command)
        running.until(lambda: select.select([pipe], [], [], 0)[0])
        running.kill()
        assert running.wait().code == -signal.SIGKILL, running.err
        written = os.read(pipe, holds)
    finally:
        os.close(pipe)
    path.unlink()
    path.write_bytes(written)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_killed_and_stopped_run_equals_an_unbroken_one(
    learner, start, tiny, tmp_path
):
    broken, unbroken = tmp_path / "broken", tmp_path / "unbroken"
    command = [
        "train",
        *tiny,
        *LEARNERS[learner],
        *("--log_every=2", "--checkpoint_every=5", "--validate_every=8"),
    ]
    many = [*command, f"--run_dir={broken}", "--steps=2000"]
    checkpoints = broken / "checkpoints"
    checkpoints.mkdir(parents=True)
    last = checkpoints / "last.npz"

    # Killed while it writes its first checkpoint, at step 5.
    killed_while_writing(checkpoints / ".last.npz.partial", start, *many)
    assert not last.exists() and rows(broken)[-1]["step"] == 4

    # Killed at step 8, in the validation, before which a checkpoint was written.
    killed_while_writing(checkpoints / ".best.npz.partial", start, *many)
    assert rows(broken)[-1]["step"] == 8
    before = arrays(last)

    # Killed while it writes over that checkpoint.
    killed_while_writing(checkpoints / ".last.npz.partial", start, *many)
    assert arrays(last).keys() == before.keys()
    assert all((before[n] == array).all() for n, array in arrays(last).items())

    # Asked to stop, wherever it is.
    step = 5
    for number in (signal.SIGTERM, signal.SIGINT):
        running = start(*many, "--json")
        enough = step + 3
        running.until(lambda enough=enough: rows(broken)[-1]["step"] > enough)
        running.kill(number)
        assert running.wait().code == 0 and running.err == ""
        *_, sentence, result = running.out.splitlines()
        step = json.loads(result)["step"]
        assert sentence == (
            f"Stopped by {number.name} at step {step}; saved. The same command "
            "continues."
        )

    steps = f"--steps={step + 2}"
    assert start(*many[:-1], steps).wait().code == 0
    assert start(*command, f"--run_dir={unbroken}", steps).wait().code == 0
    assert numbers(broken) == numbers(unbroken)
    for name in ("last.npz", "best.npz"):
        assert_same_arrays(checkpoints / name, unbroken / "checkpoints" / name)
    check_tensorboard(broken)


def check_tensorboard(run: pathlib.Path) -> None:
    """Every number of metrics.jsonl is there, at its step, once."""
    folder = run / "tensorboard" / run.name
    events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    wanted: dict[str, list[int]] = {}
    for row in rows(run):
        for name in row.keys() - {"step"}:
            group, _, after = name.partition("val_")
            tag = f"val/{after}" if not group else f"train/{name}"
            wanted.setdefault(name if "/" in name else tag, []).append(row["step"])
    assert wanted.keys() >= {
        *("train/loss", "train/accuracy", "train/gradient_norm"),
        *("val/accuracy", "val/accuracy_low", "val/accuracy_high"),
    }
    speeds = {"train/tasks_per_s", "train/examples_per_s"}
    assert len(speeds & wanted.keys()) == 1
    if "maml" in (run / "config.json").read_text():
        assert wanted.keys() >= {"adaptation/step_00", "adaptation/step_01"}
    tags = events.Tags()["scalars"]
    found = {tag: [event.step for event in events.Scalars(tag)] for tag in tags}
    assert found == wanted


def test_a_finished_run_does_nothing_until_steps_grow(start, tiny, tmp_path):
    command = ["train", *tiny, f"--run_dir={tmp_path}/run", "--log_every=2", "--json"]
    assert start(*command, "--steps=3").wait().code == 0
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    again = start(*command, "--steps=3").wait()
    assert "finished at step 3: nothing to do" in again.out
    assert json.loads(again.out.splitlines()[-1])["new_steps"] == 0
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
    more = start(*command, "--steps=5").wait()
    assert "Continuing at step 3 of 5" in more.out
    assert rows(tmp_path / "run")[-1]["step"] == 5


def test_patience_ends_a_run_and_is_remembered(start, tiny, tmp_path):
    # A rate of 0 learns nothing, so the second validation is no better.
    command = [
        *("train", *tiny, f"--run_dir={tmp_path}/run", "--outer_lr=0"),
        *("--validate_every=2", "--patience=1", "--steps=50", "--json"),
    ]
    for new_steps in (4, 0):
        ended = start(*command).wait()
        assert ended.code == 0, ended.err
        result = json.loads(ended.out.splitlines()[-1])
        assert result["stopped"] == "early"
        assert (result["step"], result["new_steps"]) == (4, new_steps)
        assert "Stopped early at step 4" in ended.out


def test_a_loss_that_is_no_number_stops_the_run(start, tiny, tmp_path):
    command = [
        *("train", *tiny, "--learner=maml", f"--run_dir={tmp_path}/run"),
        *("--checkpoint_every=1", "--steps=50", "--inner_lr=1e30"),
    ]
    error = start(*command).wait().error()
    assert re.search("(loss|meta-gradient's norm) is (nan|inf) at step 1", error)
    assert "No checkpoint was written yet" in error
    assert not (tmp_path / "run" / "checkpoints" / "last.npz").exists()


def test_a_rate_that_reached_zero_does_not_rise_again(start, tiny, tmp_path):
    command = ["train", *tiny, "--decay_to_zero", f"--run_dir={tmp_path}/run"]
    assert start(*command, "--steps=2").wait().code == 0
    refused = start(*command, "--steps=4").wait().error()
    assert "rate_zero_at was 2 and is 4" in refused


def test_data_that_has_changed_is_refused(start, tiny, tmp_path):
    import numpy as np

    draws = np.random.default_rng(0)
    command = ["train", *tiny, f"--dataset=npz:{tmp_path}/data.npz", "--steps=1"]
    command += [f"--run_dir={tmp_path}/run"]
    evaluation = ["evaluate", f"--run_dir={tmp_path}/run", "--way=2", "--query=2"]
    for classes, fails in ((20, False), (21, True)):
        y = np.repeat(np.arange(classes), 8)
        x = draws.integers(0, 256, (len(y), 8, 8), np.uint8)
        np.savez(tmp_path / "data.npz", x=x, y=y)
        for each in (command, [*evaluation, "--episodes=2"]):
            ended = start(*each).wait()
            if fails:
                assert "has changed since the run" in ended.error()
            else:
                assert ended.code == 0, ended.err
