"""Saving and loading say nothing: no warning for anyone to read or to mute."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

# What TensorFlow says while it starts comes before the marks.
_START = """
import pathlib, sys
import tensorflow as tf
folder = pathlib.Path(sys.argv[1])

def marked():
    tf.constant(1)
    for stream in (sys.stdout, sys.stderr):
        print("READY", file=stream, flush=True)
"""
_SAVE = (
    _START
    + """
import tfmeta
from tfmeta.learners import MAML, ProtoNet, Reptile
from tfmeta.nets import conv4, mlp

def images(way=None):
    return conv4(way=way, filters=2, input_shape=(16, 16, 1))

values = mlp(outputs=1, units=(4,), input_shape=(3,), activation="silu")
marked()
for name, learner in {
    "maml": MAML(images(3), inner_steps=2),
    "maml_loop": MAML(images(3), inner_steps=7),
    "anil": MAML(images(3), inner_steps=2, adapt_only="head"),
    "reptile": Reptile(images(3), inner_steps=2, eval_steps=7),
    "protonet": ProtoNet(images()),
    "regression": MAML(values, inner_steps=7, targets="values"),
}.items():
    tfmeta.export.save(learner, folder / name)
    model = tfmeta.MetaModel(learner)
    y = [0.0, 1.0, 2.0] if name == "regression" else ["a", "b", "c"]
    x = tf.random.stateless_uniform((3, *learner.body.inputs.shape[1:]), [0, 0])
    model.adapt(x.numpy(), y).save(folder / f"{name}_adapted")
"""
)
_LOAD = (
    _START
    + """
import json
marked()
for version in sorted(folder.glob("*/1")):
    request = json.loads((version / "request.json").read_text())
    ask = tf.saved_model.load(str(version)).signatures[request["signature_name"]]
    ask(**{name: tf.constant(v) for name, v in request["inputs"].items()})
"""
)
_PROGRAMS = {"save": _SAVE, "load": _LOAD}


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, str]:
    """What two new processes print: one that saves, one that loads without tfmeta."""
    folder = tmp_path_factory.mktemp("exported")
    return {name: _said(code, folder) for name, code in _PROGRAMS.items()}


def _said(code: str, folder: pathlib.Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("*/1"))) == 12
    return "".join(text.split("READY\n")[1] for text in (done.stdout, done.stderr))


@pytest.mark.parametrize("name", _PROGRAMS)
def test_nothing_is_printed(name, said):
    assert said[name] == ""
