"""The guides whose blocks are run as they stand, each in one session."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(guide: str) -> list[tuple[str, str]]:
    """The language and the text of each block that can be run."""
    return BLOCK.findall((ROOT / "docs" / guide).read_text(encoding="utf-8"))


def run_commands(text: str) -> None:
    """Runs commands where scripts/ is beside the data, as in a checkout."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    place = pathlib.Path("scripts")
    if not place.exists():
        place.symlink_to(ROOT / "scripts")
    subprocess.run(
        ["bash", "-euc", text],
        check=True,
        env={**os.environ, "PATH": path},
        capture_output=True,
    )


@pytest.mark.parametrize("guide", ["your_data.md", "your_net.md"])
def test_the_blocks_of_a_guide_run_in_order(guide, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "guide"}
    for language, text in blocks(guide):
        if "import pandas" in text:
            pytest.importorskip("pandas")
        if language == "bash":
            run_commands(text)
        else:
            exec(compile(text, guide, "exec"), names)
    printed = capsys.readouterr().out
    scores = [float(n) for n in re.findall(r"accuracy (0\.\d+)", printed)]
    if guide == "your_data.md":
        assert printed.count("[0 1]\n") == 3 and "[b'machine 1']" in printed
        assert len(scores) == 4 and min(scores) > 0.6
