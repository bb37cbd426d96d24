"""A script whose disk is full ends with one line."""

from __future__ import annotations

import resource

import pytest


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_training_on_a_full_disk_ends_with_a_line(start, tiny, tmp_path):
    run = tmp_path / "run"
    flags = [f"--run_dir={run}", *tiny, "--learner=protonet", "--steps=9999"]
    often = ["--log_every=5", "--validate_every=20", "--checkpoint_every=10"]
    training = start("train", *flags, *often)
    training.until((run / "checkpoints" / "last.npz").exists)
    size = (run / "metrics.jsonl").stat().st_size + 100
    resource.prlimit(training.pid, resource.RLIMIT_FSIZE, (size, size))
    line = training.wait().error()
    assert f"{run}/" in line and "cannot be written (File too large)." in line
    assert "make room on it" in line
    scored = start(
        "evaluate", f"--run_dir={run}", "--episodes=4", "--way=3", "--query=2"
    )
    assert scored.wait().code == 0, scored.err
