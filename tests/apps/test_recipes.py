"""The shipped recipes: flags that train takes, and a heading: what to expect."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "scripts" / "recipes").glob("*.flags"))
# Each recipe has other flags, and absl's flags cannot be taken back.
PARSE = """
import os, sys
from tfmeta.apps import command_line, train
command_line.define(train)
for path in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        argv = ["train", f"--flagfile={path}", "--run_dir=run"]
        train.PARTS.define(train.FLAGS.read_flags_from_files(argv, force_gnu=True))
        train.FLAGS(argv)
        train.check_flags()
        print(train.FLAGS.learner, train.FLAGS.dataset, train.FLAGS.steps)
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, path
"""


def test_train_takes_the_flags_of_each_recipe() -> None:
    paths = [str(path.relative_to(ROOT)) for path in RECIPES]
    done = subprocess.run(
        [sys.executable, "-c", PARSE, *paths],
        cwd=ROOT,
        env={"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(RECIPES) > 3


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_to_run_and_to_expect(path: pathlib.Path) -> None:
    lines = path.read_text().splitlines()
    heading = "\n".join(line for line in lines if line.startswith("#"))
    assert lines[0].startswith("# ")
    assert f"recipes/{path.name}" in heading or path.stem == "quickstart"
    assert re.search(r"Expected: .*\d", heading), "what to expect"
    assert re.search(r"Minutes: \d+ on 2 cores", heading), "how long it takes"
