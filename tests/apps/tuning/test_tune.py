"""The app tune, with Ray in a network of its own where the system allows one."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[3] / "scripts"
NAMESPACE = 'ip link set lo up 2>/dev/null || ifconfig lo up; exec "$@"'


def alone() -> list[str]:
    """A prefix for commands that may listen on this machine alone."""
    if shutil.which("unshare"):
        prefix = ["unshare", "-n", "bash", "-c", NAMESPACE, "alone"]
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return []


def command(tiny, folder, *flags: str) -> list[str]:
    return [
        *alone(),
        *(sys.executable, str(SCRIPTS / "tune.py"), *tiny),
        *("--learner=protonet", "--steps=4", "--validate_every=2", "--grace=1"),
        *(f"--run_dir={folder}", *flags),
    ]


def test_a_killed_search_goes_on_and_no_trial_is_done_twice(tiny, tmp_path) -> None:
    pytest.importorskip("ray", reason="needs the extra 'tune'")
    tiny = [flag for flag in tiny if flag != "--filters=4"]
    flags = ["--search", "outer_lr=log:1e-4:1e-2", "--search=filters=2,4"]
    flags += ["--trials=3", "--json"]
    first = subprocess.Popen(
        command(tiny, tmp_path / "search", *flags),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    done = tmp_path / "search/trial_00000/metrics.jsonl"
    end = time.monotonic() + 300
    while not (done.exists() and '"step": 4' in done.read_text()):
        assert time.monotonic() < end and first.poll() is None
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    again = subprocess.run(
        command(tiny, tmp_path / "search", *flags), capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    result = json.loads(again.stdout.splitlines()[-1])
    names = [trial["name"] for trial in result["trials"]]
    assert names == ["trial_00000", "trial_00001", "trial_00002"]
    best = max(result["trials"], key=lambda trial: trial["best_validation"])
    assert result["best"] == best["name"] or (
        result["best_validation"] == best["best_validation"]
    )
    assert all(trial["memory_gb"] > 0 for trial in result["trials"])
    for name in names:
        rows = (tmp_path / f"search/{name}/metrics.jsonl").read_text().splitlines()
        steps = [json.loads(row)["step"] for row in rows]
        assert steps == sorted(steps)
    flagfile = (tmp_path / "search/best.flags").read_text()
    assert f"--filters={best['values']['filters']}" in flagfile
    assert (tmp_path / "search/search.png").exists()
    assert "Ray listens on every network interface" in again.stdout


REFUSED = {
    "nothing": ([], "Nothing is searched for. Give --search"),
    "no such flag": (["--search=iner_lr=1,2"], "a flag that there is not: --iner_lr"),
    "a refused value": (["--search=outer_lr=range:-1:1"], "--outer_lr a value that it"),
    "no such net": (["--search=net=conv4,conv9"], "There is no net 'conv9'"),
    "another form": (["--search=outer_lr"], "--search must be NAME=A,B,C"),
    "what trials share": (["--search=steps=2,4"], "--steps is the same for all trials"),
    "said and searched": (["--search=filters=2,4"], "--filters is given, and searched"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_searched_is_one_line_before_any_work(
    case, start, tiny, tmp_path
) -> None:
    flags, sentence = REFUSED[case]
    ended = start("tune", *tiny, *flags, f"--run_dir={tmp_path}/search").wait()
    assert ended.code == 2 and ended.err.count("\n") == 1, ended.err
    assert sentence in ended.err
    assert not (tmp_path / "search").exists()
