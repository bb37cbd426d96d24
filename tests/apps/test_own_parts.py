"""Learners, nets, rules, augmentations and sources of a user's own, by name."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
MINE = '''
from __future__ import annotations

import keras
import numpy as np

import tfmeta
from tfmeta.learners import MAML
from tfmeta.inner import UpdateRule


@keras.saving.register_keras_serializable("mine")
class Halved(keras.layers.Layer):
    def call(self, x):
        return x / 2


def net(input_shape, outputs=None, *, width: int = 5, seed: int = 0):
    """A net that draws its own weights.

    Args:
        width: Units of the hidden layer.
    """
    draws = keras.initializers.GlorotUniform(seed=seed)
    layers = [keras.layers.Dense(width, "tanh", kernel_initializer=draws), Halved()]
    if outputs:
        layers.append(keras.layers.Dense(outputs, kernel_initializer="zeros"))
    return keras.Sequential([keras.Input(input_shape), *layers])


@keras.saving.register_keras_serializable("mine")
class Signs(UpdateRule):
    """Steps by the sign of the gradient.

    Args:
        size: Of a step.
    """

    def __init__(self, *, size: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def update(self, grads, state, params, step):
        import tensorflow as tf

        return [-self.size * tf.sign(g) for g in grads], state


def learner(net, rule=None, *, steps: int = 1) -> MAML:
    """MAML that drops second derivatives.

    Args:
        steps: Inner steps, under a name that the app has too.
    """
    return MAML(net, rule=rule, inner_steps=steps, first_order=True)


@keras.saving.register_keras_serializable("mine")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def source(path: str, *, first: int | None = 3, seed: int = 0):
    """Arrays of a file.

    Args:
        path: The file.
        first: How many numbers of each example are read; None for all.
    """
    with np.load(path) as file:
        x, y = file["x"][:, :first], file["y"]
    return tfmeta.data.from_arrays(x, y, seed=seed, prepare=Doubled())
'''
PARTS = [
    "--dataset=mine:source",
    "--learner=mine:learner",
    "--net=mine:net",
    "--rule=mine:Signs",
    *("--path=d.npz", "--first=none", "--learner.steps=2", "--width=7", "--size=0.05"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> pathlib.Path:
    import numpy as np

    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(MINE)
    draws = np.random.default_rng(0)
    x = draws.normal(size=(20, 1, 6)) + draws.normal(0, 0.3, (20, 12, 6))
    x = x.reshape(-1, 6).astype("float32")
    np.savez(folder / "d.npz", x=x, y=np.repeat(np.arange(20), 12))
    return folder


def run(place: pathlib.Path, script: str, *flags: str, own: bool = True):
    without = ("PYTHONPATH", "TF_CPP_MIN_LOG_LEVEL")
    environment = {k: v for k, v in os.environ.items() if k not in without}
    return subprocess.run(
        [sys.executable, str(SCRIPTS / f"{script}.py"), *flags],
        cwd=place,
        env=environment | ({"PYTHONPATH": "."} if own else {}),
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def trained(place) -> pathlib.Path:
    sizes = ["--way=3", "--tasks=2", "--steps=2", "--val_episodes=4"]
    done = run(place, "train", *PARTS, *sizes, "--run_dir=run")
    assert (done.returncode, done.stderr) == (0, "")
    return place / "run"


def test_the_run_remembers_them(trained, place) -> None:
    config = json.loads((trained / "config.json").read_text())
    flags = config["flags"]
    assert [flags[k] for k in ("dataset", "learner", "net", "rule")] == [
        *("mine:source", "mine:learner", "mine:net", "mine:Signs")
    ]
    told = [flags[k] for k in ("path", "learner.steps", "steps", "width", "size")]
    assert told == ["d.npz", 2, 2, 7, 0.05]
    # All six numbers of an example: None was said, and is not left out.
    net = config["learner"]["config"]["net"]["config"]
    assert net["layers"][0]["config"]["batch_shape"] == [None, 6]
    learner = config["learner"]["config"]
    assert (learner["inner_steps"], learner["rule"]["config"]["size"]) == (2, 0.05)


def test_it_is_scored_and_exported_and_says_whose_code_that_takes(trained, place):
    done = run(place, "evaluate", "--run_dir=run", "--episodes=4", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "The run in run imports code of its own: mine:source, mine:learner, mine:net, "
        "mine:Signs, mine:Halved, mine:Doubled.\n"
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["learner"], result["way"], result["query"]) == ("MAML", 3, 11)
    done = run(place, "export", "--run_dir=run", "--out=served")
    assert (done.returncode, done.stderr) == (0, "")
    assert (place / "served" / "1" / "saved_model.pb").exists()


def test_code_is_named_before_it_runs(trained, place) -> None:
    (place / "mine.py").write_text(MINE + "\nraise ImportError('stop here')\n")
    done = run(place, "evaluate", "--run_dir=run")
    (place / "mine.py").write_text(MINE)
    assert (done.returncode, done.stderr) == (2, "error: stop here\n")
    assert done.stdout.startswith("The run in run imports code of its own: mine:source")


def test_code_that_runs_tensorflow_when_imported_trains_all_the_same(place) -> None:
    early = MINE.replace("import tfmeta\n", "import tfmeta\nONE = keras.ops.ones(1)\n")
    (place / "early.py").write_text(early)
    parts = [flag.replace("mine:", "early:") for flag in PARTS]
    sizes = ["--way=3", "--tasks=2", "--steps=1", "--val_episodes=4"]
    done = run(place, "train", *parts, *sizes, "--task_map=loop", "--run_dir=early")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ran TensorFlow while it was imported" in done.stdout


@pytest.mark.parametrize("script", ["evaluate", "train"])
def test_code_that_lies_beside_a_run_does_not_run(trained, place, script) -> None:
    before = MINE + "\nopen('ran', 'w')\n"
    (place / "mine.py").write_text(before)
    flags = PARTS if script == "train" else []
    done = run(place, script, *flags, "--run_dir=run", own=False)
    (place / "mine.py").write_text(MINE)
    assert done.returncode == 2 and not (place / "ran").exists()
    assert done.stderr.startswith("error: mine:")
    assert "mine.py lies in the working directory, which is not" in done.stderr
