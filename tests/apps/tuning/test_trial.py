"""A training that is followed from outside, here a small program in its place."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time

import pytest

from tfmeta.apps.tuning.trial import Trial, validations

TRAINS = """
import json, pathlib, sys, time
run = pathlib.Path(sys.argv[-1].removeprefix("--run_dir="))
run.mkdir(parents=True, exist_ok=True)
path = run / "metrics.jsonl"
done = len(path.read_text().splitlines()) if path.exists() else 0
with path.open("a") as file:
    for step in range(done, 6):
        row = {"step": step, "loss": 1.0}
        if step % 2:
            row["val_accuracy"] = step / 10
        file.write(json.dumps(row) + "\\n")
        file.flush()
        if step == int(sys.argv[1]):
            print("error: out of luck")
            sys.exit(2)
        if step == int(sys.argv[2]):
            time.sleep(600)
"""


def start(tmp_path, fails: int = -1, hangs: int = -1) -> Trial:
    command = [sys.executable, "-c", TRAINS, str(fails), str(hangs)]
    return Trial(command, tmp_path / "trial_0", "val_accuracy")


def test_each_validation_is_told_once_and_then_none(tmp_path) -> None:
    trial = start(tmp_path)
    rows = [trial.next_validation() for _ in range(4)]
    assert [row and (row["step"], row["val_accuracy"]) for row in rows] == [
        (1, 0.1),
        (3, 0.3),
        (5, 0.5),
        None,
    ]
    assert rows[0] is not None and 0 <= rows[0]["memory_gb"] < 1


def test_a_training_that_goes_on_tells_its_old_rows_again(tmp_path) -> None:
    trial = start(tmp_path, hangs=3)
    assert [trial.next_validation()["step"] for _ in range(2)] == [1, 3]
    trial.stop()
    again = start(tmp_path)
    assert [again.next_validation()["step"] for _ in range(3)] == [1, 3, 5]
    assert again.next_validation() is None
    steps = [row["step"] for row in validations(tmp_path / "trial_0", "loss")]
    assert steps == [0, 1, 2, 3, 4, 5]


def test_a_training_that_fails_is_told_in_its_last_line(tmp_path) -> None:
    trial = start(tmp_path, fails=3)
    assert trial.next_validation()["step"] == 1
    assert trial.next_validation()["step"] == 3
    with pytest.raises(RuntimeError, match="^error: out of luck$"):
        trial.next_validation()


def test_stopping_ends_the_process(tmp_path) -> None:
    trial = start(tmp_path, hangs=1)
    assert trial.next_validation()["step"] == 1
    trial.stop()
    trial.stop()
    with pytest.raises(RuntimeError, match="ended with code -15"):
        trial.next_validation()


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux ends children")
def test_a_training_ends_with_a_searcher_that_is_killed(tmp_path) -> None:
    """Else it would hold the run's folder when the search goes on."""
    (tmp_path / "trains.py").write_text(TRAINS)
    searcher = (
        "import pathlib, sys, time\n"
        "from tfmeta.apps.tuning.trial import Trial\n"
        f"command = [sys.executable, {str(tmp_path / 'trains.py')!r}, '-1', '1']\n"
        f"trial = Trial(command, pathlib.Path({str(tmp_path / 'run')!r}), 'loss')\n"
        "trial.next_validation()\n"
        "print(trial._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", searcher], stdout=subprocess.PIPE, text=True
    ) as parent:
        training = pathlib.Path("/proc") / parent.stdout.readline().strip()
        assert "trains.py" in (training / "cmdline").read_text()
        parent.kill()
    end = time.monotonic() + 60
    while training.exists() and "Z" not in (training / "stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_row_that_is_half_written_waits(tmp_path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    row = json.dumps({"step": 1, "val_accuracy": 0.5})
    (run / "metrics.jsonl").write_text(f"{row}\n{row[:9]}")
    assert len(validations(run, "val_accuracy")) == 1
    assert validations(tmp_path, "val_accuracy") == []
