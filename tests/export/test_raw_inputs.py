"""Exports of preparations that change what an example is."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.nets import fresh, mlp

DRAWS = np.random.default_rng(0)
TABLE = (100 + 50 * DRAWS.random((7, 3))).astype(np.float32)
WORDS = np.array(["red fox", "red", "grey owl", "fox", "owl owl", "an auk", "red owl"])
Y = np.int32([1, 0, 1, 2])


def net(size: int):
    return fresh(mlp(units=(5,), input_shape=(size,)), seed=0)


def normalised() -> tuple:
    layer = keras.layers.Normalization()
    layer.adapt(TABLE)
    return layer, tf.TensorSpec((None, 3), tf.float32), TABLE, 3


def halved() -> tuple:
    """A model of layers as the preparation; it takes six numbers and gives three."""
    x = keras.Input((6,))
    layer = keras.Model(x, keras.layers.Rescaling(0.5)(x[:, ::2]))
    raw = DRAWS.random((7, 6)).astype(np.float32)
    return layer, tf.TensorSpec((None, 6), tf.float32), raw, 3


def binned() -> tuple:
    layer = keras.layers.Discretization([110.0, 120.0, 130.0], output_mode="one_hot")
    return layer, tf.TensorSpec((None, 1), tf.float32), TABLE[:, :1], 4


def tokens() -> tuple:
    layer = keras.layers.TextVectorization(
        vocabulary=["red", "fox", "owl"], output_mode="multi_hot"
    )
    return layer, tf.TensorSpec((None,), tf.string), WORDS, 4


def looked_up() -> tuple:
    layer = keras.layers.StringLookup(
        vocabulary=["red", "fox", "owl"], output_mode="one_hot"
    )
    raw = np.array(["red", "fox", "owl", "auk", "fox", "red", "tit"])[:, None]
    return layer, tf.TensorSpec((None, 1), tf.string), raw, 4


PREPARATIONS = {
    "normalised": normalised,
    "halved": halved,
    "binned": binned,
    "tokens": tokens,
    "looked_up": looked_up,
}
# Runs alone: it has neither tfmeta nor Keras.
ALONE = """
import json, sys
for name in ("tfmeta", "keras"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf
found = {}
for name, folder in json.loads(sys.argv[1]).items():
    with np.load(f"{folder}/asked.npz") as file:
        request = {key: tf.constant(file[key]) for key in file.files}
    query = {key: request.pop(key) for key in list(request) if key[:5] == "query"}
    ask = tf.saved_model.load(folder + "/all/1").signatures
    found[name] = ask["adapt_and_predict"](**request, **query)["probabilities"]
    state = ask["adapt"](**request)
    found[name + "/split"] = ask["predict"](**query, **state)["probabilities"]
    ask = tf.saved_model.load(folder + "/adapted/1").signatures["predict"]
    found[name + "/adapted"] = ask(**query)["probabilities"]
np.savez(sys.argv[2], **found)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> tuple[dict, dict]:
    """Python's answers, and those of a process that has TensorFlow alone."""
    folders, wanted = {}, {}
    for name, make in PREPARATIONS.items():
        layer, inputs, raw, size = make()
        folder = tmp_path_factory.mktemp(name)
        learner = learners.ProtoNet(net(size))
        model = tfmeta.MetaModel(learner, prepare=Preparation(layer, inputs=inputs))
        export.save(model, folder / "all")
        # An adapted task knows its raw examples, whether the preparation does or not.
        task = tfmeta.MetaModel(learner, prepare=layer).adapt(raw[:4], Y)
        task.save(folder / "adapted")
        wanted[name] = task.predict(raw[4:])
        end = "text" if name == "tokens" else "x"
        asked = {f"support_{end}": raw[:4], f"query_{end}": raw[4:], "support_y": Y}
        np.savez(folder / "asked.npz", **asked)
        folders[name] = str(folder)
    answered = tmp_path_factory.mktemp("alone") / "answers.npz"
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, json.dumps(folders), str(answered)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return wanted, dict(np.load(answered))


@pytest.mark.parametrize("name", PREPARATIONS)
def test_raw_examples_are_answered_as_python_does(name, answers) -> None:
    wanted, found = answers
    for way in ("", "/split", "/adapted"):
        np.testing.assert_allclose(found[name + way], wanted[name], atol=1e-5)
    assert np.abs(wanted[name][0] - wanted[name][1]).max() > 1e-3


def test_prepared_numbers_are_those_of_the_layer(answers) -> None:
    """The answers depend on the preparation: without it they are others."""
    raw = TABLE
    plain = tfmeta.MetaModel(learners.ProtoNet(net(3))).adapt(raw[:4], Y)
    assert np.abs(plain.predict(raw[4:]) - answers[0]["normalised"]).max() > 1e-2


def test_the_readme_names_the_preparation(tmp_path) -> None:
    layer, inputs, _, size = tokens()
    model = tfmeta.MetaModel(
        learners.ProtoNet(net(size)), prepare=Preparation(layer, inputs=inputs)
    )
    folder = export.save(model, tmp_path)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "the graph prepares them by TextVectorization." in text
    assert "| input | `support_text` | string | (?) |" in text


def test_raw_shapes_that_are_not_known_are_asked_for(tmp_path) -> None:
    layer, *_, size = halved()
    model = tfmeta.MetaModel(learners.ProtoNet(net(size)), prepare=layer)
    with pytest.raises(ValueError, match=r"Say it: Preparation\(layer, inputs=tf.Tens"):
        export.save(model, tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(8, 8, 1), (None, None, 1)])
def test_shapes_that_the_net_leaves_free_are_those_of_the_source(shape, tmp_path):
    inputs = keras.Input(shape)
    outputs = keras.layers.GlobalAveragePooling2D()(inputs)
    learner = learners.ProtoNet(keras.Model(inputs, outputs))
    raw = tf.TensorSpec((None, 8, 8, 1), tf.uint8)
    model = tfmeta.MetaModel(learner, prepare=Preparation(inputs=raw))
    ask = tf.saved_model.load(str(export.save(model, tmp_path))).signatures["adapt"]
    spec = ask.structured_input_signature[1]["support_x"]
    assert (spec.shape.as_list(), spec.dtype) == ([None, 8, 8, 1], tf.float32)


def table_model(**options) -> tfmeta.MetaModel:
    layer, inputs, _, size = normalised()
    prepare = Preparation(layer, inputs=inputs, **options)
    return tfmeta.MetaModel(learners.ProtoNet(net(size)), prepare=prepare)


def test_what_is_far_outside_is_refused(tmp_path) -> None:
    model = table_model(low=[-2.0], high=[2.0])
    folder = export.save(model, tmp_path / "all", refuse_outside=True)
    ask = tf.saved_model.load(str(folder)).signatures
    request = {
        "support_x": tf.constant(TABLE[:4]),
        "support_y": tf.constant(Y),
        "query_x": tf.constant(TABLE[4:]),
    }
    ask["serving_default"](**request)
    for name in ("support_x", "query_x"):
        broken = {**request, name: request[name] * 100.0}
        sentence = f"{name} must be like the inputs of training"
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            ask["serving_default"](**broken)
    task = model.adapt(TABLE[:4], Y)
    folder = task.save(tmp_path / "adapted", refuse_outside=True)
    ask = tf.saved_model.load(str(folder)).signatures["predict"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="query_x must be like"):
        ask(query_x=request["query_x"] * 100.0)


def test_without_a_range_nothing_can_be_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="refuse_outside=True needs a preparation"):
        export.save(table_model(), tmp_path / "a", refuse_outside=True)
    assert not list(tmp_path.iterdir())
