"""The Python of the README and of the page it leads to, run as it stands."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
ANSWERS = re.compile(r"^\['k[aiu]' 'k[aiu]' 'k[aiu]'\]$", re.MULTILINE)


def code_of(page: str) -> list[str]:
    """The Python blocks of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def printed_by(code: str, folder: pathlib.Path) -> str:
    """What a program prints, if it neither fails nor warns."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # TensorFlow's import prints "WARNING: All log messages before ...".
    told = done.stdout + done.stderr
    assert not re.search(r"Warning|WARNING:\w", told), told
    return done.stdout


def test_a_first_training(tmp_path) -> None:
    (code,) = code_of("docs/start.md")
    told = printed_by(code, tmp_path)
    assert "val_accuracy: 0." in told
    (score,) = re.findall(r"^Result\(accuracy (0\.\d+)", told, re.MULTILINE)
    assert float(score) > 0.7  # By chance: 0.2.
    assert ANSWERS.search(told), told
    assert (tmp_path / "exported" / "1" / "saved_model.pb").exists()


@pytest.fixture(scope="module")
def front_page(tmp_path_factory) -> list[str]:
    """The lines that README's blocks print, run as one program."""
    folder = tmp_path_factory.mktemp("readme")
    return printed_by("\n".join(code_of("README.md")), folder).splitlines()


def test_a_net_of_the_zoo_in_six_lines(front_page) -> None:
    lines = code_of("README.md")[0].strip().splitlines()
    assert len([line for line in lines if line]) == 6
    assert front_page[0] == "['ka' 'ki' 'ku']"
    assert "['ke' 'ka']" in front_page and "[1]" in front_page


def test_the_three_numbers_are_those_that_are_printed(front_page) -> None:
    said = re.findall(r"# (-?\d+\.\d{4})$", code_of("README.md")[-1], re.MULTILINE)
    told = [float(line) for line in front_page[-3:]]
    assert told == pytest.approx([float(number) for number in said], abs=1e-4)
    assert told[1] == pytest.approx(told[0], rel=1e-6) and told[2] > 0
