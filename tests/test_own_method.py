"""A method of a user's own: the one that BUILD.md and docs/own_method.md show."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf
from learner_cases import normed

from tfmeta import MetaModel, export

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROW = """    Case(
        "nearest_mean",
        lambda: NearestMean(normed()),
        references.protonet(nets.normed),
        any_way=True,
        permutes=True,
    ),
]
"""
DATA = "import numpy as np; d = np.random.default_rng(0); np.savez('d.npz', " + (
    "x=d.normal(size=(120, 6)).astype('f'), y=np.repeat(np.arange(15), 8))"
)


def shown() -> str:
    """The file of a method that BUILD.md shows, imports included."""
    text = (ROOT / "BUILD.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


def test_the_method_of_build_md_trains_adapts_and_exports(tmp_path) -> None:
    names: dict[str, object] = {"__name__": "own_method"}
    exec(shown(), names)
    model = MetaModel(names["NearestMean"](normed()), task_map="loop")
    model.compile(keras.optimizers.Adam(0.05))
    draws = np.random.default_rng(0)
    y = np.tile(np.int32([0, 1, 2]), (8, 2))
    x = (draws.normal(size=(8, 6, 4)) + 2 * y[..., None]).astype("float32")
    batch = {"support_x": x, "support_y": y, "query_x": x}
    losses = [float(model.meta_step((batch, y))["task_losses"][0]) for _ in range(9)]
    assert losses[-1] < losses[0]
    classifier = model.adapt(x[0], ["ant", "bee", "cat"] * 2)
    assert classifier.evaluate(x[0], ["ant", "bee", "cat"] * 2) > 0.5
    folder = export.save(model, tmp_path / "exported")
    served = tf.saved_model.load(str(folder)).signatures["adapt_and_predict"]
    answer = served(**{name: tf.constant(v[0]) for name, v in batch.items()})
    np.testing.assert_allclose(
        answer["probabilities"], classifier.predict(x[0]), rtol=1e-4, atol=1e-5
    )


def copied(root: pathlib.Path) -> None:
    """A copy of the tree that has the method: a file, an export line and a row."""
    for folder in ("tfmeta", "tests", "scripts"):
        without = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / folder, root / folder, ignore=without)
    for name in ("BUILD.md", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    learners = root / "tfmeta" / "learners"
    (learners / "nearest_mean.py").write_text(f'"""Nearest mean."""\n\n{shown()}')
    exports = learners / "__init__.py"
    line = "from tfmeta.learners.nearest_mean import NearestMean\n"
    text = exports.read_text().replace("__all__ = [", '__all__ = [\n    "NearestMean",')
    exports.write_text(text.replace("from tfmeta.core", f"{line}from tfmeta.core", 1))
    table = root / "tests" / "learner_cases.py"
    rows = table.read_text().replace("    MAML,\n", "    MAML,\n    NearestMean,\n", 1)
    assert rows.endswith("]\n")
    table.write_text(rows.removesuffix("]\n") + ROW)


def run_in(root: pathlib.Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_file_a_line_and_a_row_make_a_method(tmp_path) -> None:
    copied(tmp_path)
    suite = ["-k", "nearest_mean", "tests/learners/test_reference.py"]
    suite += ["tests/learners/test_conformance.py"]
    ended = run_in(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", *suite)
    assert int(re.search(r"(\d+) passed", ended)[1]) > 10
    run_in(tmp_path, "-c", DATA)
    run = ["--learner=nearestmean", "--dataset=npz:d.npz", "--units=4", "--steps=2"]
    sizes = ["--way=2", "--tasks=2", "--val_episodes=4", "--run_dir=run"]
    told = run_in(tmp_path, "scripts/train.py", *run, *sizes)
    assert "NearestMean: " in told and "--run_dir=run --way=2" in told
    told = run_in(tmp_path, "scripts/evaluate.py", "--run_dir=run", "--episodes=4")
    assert "NearestMean" in told and "npz:d.npz test, 2-way 1-shot, 7 queries" in told
