"""A whole search by Ray, in a network of its own where the system allows one."""

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
PATIENCE = 600  # Seconds until a search is given up.


def alone() -> list[str]:
    """A prefix for commands that may listen on this machine alone."""
    if shutil.which("unshare"):
        prefix = ["unshare", "-n", "bash", "-c", NAMESPACE, "alone"]
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return []


def test_a_killed_search_goes_on_and_no_trial_is_done_twice(tiny, tmp_path) -> None:
    pytest.importorskip("ray", reason="needs the extra 'tune'")
    search = tmp_path / "search"
    command = [
        *alone(),
        *(sys.executable, str(SCRIPTS / "tune.py")),
        *(flag for flag in tiny if flag != "--filters=4"),
        *("--learner=protonet", "--steps=4", "--validate_every=2", "--grace=1"),
        *("--search", "outer_lr=log:1e-4:1e-2", "--search=filters=2,4"),
        *("--trials=2", "--json", f"--run_dir={search}"),
    ]
    with (tmp_path / "first.log").open("w") as log:
        first = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True
        )
    done = search / "trial_00000/metrics.jsonl"
    end = time.monotonic() + PATIENCE
    while not (done.exists() and '"step": 4' in done.read_text()):
        told = (tmp_path / "first.log").read_text()
        assert time.monotonic() < end and first.poll() is None, told
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = done.read_text()

    again = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert again.returncode == 0, again.stderr
    assert "Ray listens on every network interface" in again.stdout
    result = json.loads(again.stdout.splitlines()[-1])
    assert [each["name"] for each in result["trials"]] == ["trial_00000", "trial_00001"]
    assert done.read_text().startswith(before)
    for each in result["trials"]:
        rows = (search / each["name"] / "metrics.jsonl").read_text().splitlines()
        steps = [json.loads(row)["step"] for row in rows]
        assert steps == sorted(steps) and each["memory_gb"] > 0 and not each["error"]
    best = max(result["trials"], key=lambda each: each["best_validation"])
    assert result["best_validation"] == best["best_validation"]
    chosen = next(t for t in result["trials"] if t["name"] == result["best"])
    flagfile = (search / "best.flags").read_text()
    assert f"--filters={chosen['values']['filters']}" in flagfile
    assert (search / "search.png").exists()
