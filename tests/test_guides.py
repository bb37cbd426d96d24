"""The guides whose blocks are run as they stand, each in one session."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\w+\.py)\n")
GUIDES = {  # What the blocks of a guide print, in order.
    "anywhere.md": [
        "anywhere/litert/1\n",
        "anywhere/onnx/1\n",
        "[1 2 0] 1\n['counts', 'prototypes', 'state_valid']\n[1 2 0]\n[1 2 0]\n",
    ],
    "own_method.md": ["accuracy", "Exported NearestMean", "['low' 'high']"],
    "own_net.md": ["ProtoNet: ", "validation accuracy", "None\n", "(5, 2)"],
    "textbook.md": [
        "3 of 4 layers copied",
        "['dense/kernel', 'dense/bias', 'head/kernel', 'head/bias']",
        "(None, 24, 24, 64)",
    ],
    "your_data.md": [
        "[0 1]\n",
        "[b'machine 1']",
        "[0 1]\n",
        "[0 1]\n",
        "['three', 'seven']",
        "[0]",
    ],
}


def blocks(guide: str) -> list[tuple[str, str]]:
    """The language and the text of each block that can be run."""
    return BLOCK.findall((ROOT / "docs" / guide).read_text(encoding="utf-8"))


def run_commands(text: str) -> str:
    """Runs commands as a user does; the installed `tfmeta` is found first."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", text],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def session(tmp_path, monkeypatch):
    """The names of a session in a folder of its own, which leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    modules, policy = set(sys.modules), keras.config.dtype_policy()
    yield {"__name__": "guide"}
    keras.config.set_dtype_policy(policy)
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) == f"{tmp_path}/{name}.py":
            del sys.modules[name]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_blocks_of_a_guide_run_in_order(guide, session, capsys):
    if guide == "anywhere.md":
        pytest.importorskip("tf2onnx", reason="needs the extra 'device'")
    for language, text in blocks(guide):
        if "import pandas" in text:
            pytest.importorskip("pandas")
        if language == "bash":
            sys.stdout.write(run_commands(text))
        elif FILE.match(text):  # The block is the file that its first line names.
            pathlib.Path(FILE.match(text)[1]).write_text(text, encoding="utf-8")
        else:
            exec(compile(text, guide, "exec"), session)
    printed = capsys.readouterr().out
    place = 0
    for told in GUIDES[guide]:
        assert told in printed[place:], f"{told!r} does not follow\n{printed}"
        place = printed.index(told, place) + len(told)
    if guide == "your_data.md":
        scores = [float(n) for n in re.findall(r"accuracy ([01]\.\d+) ±", printed)]
        assert len(scores) == 5 and min(scores) > 0.6


def test_the_links_of_guides_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "BUILD.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        links = re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", page.read_text("utf-8"))
        missing = [link for link in links if not (page.parent / link).exists()]
        assert not missing, f"{page.name} links to {missing}"
