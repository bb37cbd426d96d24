"""README's Python, run as it stands."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_the_python_of_the_readme_runs_without_a_warning(tmp_path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # TensorFlow's import prints "WARNING: All log messages before ...".
    told = done.stdout + done.stderr
    assert not re.search(r"Warning|WARNING:\w", told), told
    assert "val_accuracy: 0." in done.stdout
    (score,) = re.findall(r"^Result\(accuracy (0\.\d+)", done.stdout, re.MULTILINE)
    assert float(score) > 0.7  # By chance: 0.2.
    answers = re.search(r"^\['k[aiu]' 'k[aiu]' 'k[aiu]'\]$", done.stdout, re.MULTILINE)
    assert answers, done.stdout
    assert (tmp_path / "exported" / "1" / "saved_model.pb").exists()
