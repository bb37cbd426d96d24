"""Exports for small runtimes: what they take, what they refuse, and what they need."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.export.formats.base import Format
from tfmeta.export.formats.by_name import FORMATS, format_of
from tfmeta.layers import BatchNorm, GroupNorm, LayerNorm
from tfmeta.nets import conv4, fresh, mlp

SMALL = {"litert": "ai_edge_litert", "onnx": "tf2onnx"}
DRAWS = np.random.default_rng(0)
FEATURES = {
    "support_x": DRAWS.random((4, 3)).astype(np.float32),
    "support_y": np.int32([2, 0, 1, 0]),
    "query_x": DRAWS.random((5, 3)).astype(np.float32),
}
BAD = {
    "a label": {"support_y": np.int32([2, 0, 9, 0])},
    "a negative label": {"support_y": np.int32([2, 0, -1, 0])},
    "NaN in the support": {"support_x": FEATURES["support_x"] * np.float32("nan")},
    "infinite queries": {"query_x": FEATURES["query_x"] * np.float32("inf")},
}


@pytest.fixture(params=SMALL)
def form(request) -> Format:
    pytest.importorskip(SMALL[request.param], reason="needs the extra 'device'")
    return format_of(request.param)


def vectors(way=None):
    return fresh(mlp(outputs=way, units=(5,), input_shape=(3,)), seed=0)


def maml(**options):
    return learners.MAML(vectors(way=4), inner_steps=2, **options)


def answer_of(learner, request: dict, tmp_path, **options) -> dict:
    """What a SavedModel answers."""
    folder = export.save(learner, tmp_path / "saved", **options)
    ask = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answer = ask(**{name: tf.constant(value) for name, value in request.items()})
    return {name: value.numpy() for name, value in answer.items()}


@pytest.mark.parametrize("make", [maml, lambda: learners.ProtoNet(vectors())])
def test_a_bad_request_is_not_valid_and_gets_no_confident_answer(
    form, make, tmp_path
) -> None:
    folder = export.save(make(), tmp_path, format=form.name)
    assert form.answer(folder, "adapt_and_predict", FEATURES)["valid"] == 1
    for change in BAD.values():
        answer = form.answer(folder, "adapt_and_predict", {**FEATURES, **change})
        assert answer["valid"] == 0 and answer["valid"].dtype == np.int32
        assert (answer["labels"] == -1).all() and (answer["probabilities"] == 0).all()
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "* Answered with `valid` 0, labels -1," in text


def test_a_state_of_a_bad_support_set_is_answered_from_by_nobody(
    form, tmp_path
) -> None:
    folder = export.save(maml(), tmp_path, format=form.name)
    support = {**FEATURES, **BAD["a label"]}
    query = {"query_x": support.pop("query_x")}
    state = form.answer(folder, "adapt", support)
    answer = form.answer(folder, "predict", {**query, **state})
    assert answer["valid"] == 0 and (answer["probabilities"] == 0).all()


def test_a_temperature_and_a_rejection_go_in(form, tmp_path) -> None:
    options = {"temperature": 3.0, "reject_below": 0.34}
    learner = maml()
    wanted = answer_of(learner, FEATURES, tmp_path, **options)
    folder = export.save(learner, tmp_path / "small", format=form.name, **options)
    found = form.answer(folder, "adapt_and_predict", FEATURES)
    np.testing.assert_allclose(
        found["probabilities"], wanted["probabilities"], atol=1e-6
    )
    np.testing.assert_array_equal(found["labels"], wanted["labels"])
    assert (wanted["labels"] == -1).any() and (wanted["labels"] >= 0).any()


def test_an_adapted_classifier_only_predicts(form, tmp_path) -> None:
    model = tfmeta.MetaModel(learners.ProtoNet(vectors()))
    names = np.array(["owl", "wren", "owl", "jay"])
    classifier = model.adapt(FEATURES["support_x"], names)
    folder = classifier.save(tmp_path, format=form.name)
    query = {"query_x": FEATURES["query_x"]}
    found = form.answer(folder, "predict", query)
    wanted = classifier.predict(FEATURES["query_x"])
    np.testing.assert_allclose(found["probabilities"], wanted, atol=1e-6)
    assert found["labels"].tolist() == wanted.argmax(-1).tolist()
    assert '"names": [\n  "jay",' in (folder / "export.json").read_text()
    assert "jay, owl, wren" in (folder / "README.md").read_text(encoding="utf-8")


def of_many_layers() -> keras.Model:
    """A user's net of pictures, of all kinds of layers that people use."""
    layers = keras.layers
    inputs = keras.Input((12, 11, 2))
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(inputs)
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    y = layers.PReLU(shared_axes=[1, 2])(BatchNorm()(y))
    z = layers.SeparableConv2D(12, 3, padding="same", activation="gelu")(x)
    x = layers.Add()([y, GroupNorm(groups=3)(z)])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    x = layers.Conv2D(8, 2, activation="silu")(layers.ZeroPadding2D(1)(x))
    x = layers.Dense(7, activation="elu")(layers.Flatten()(x))
    x = layers.Reshape((7, 1))(LayerNorm()(x))
    x = layers.Conv1D(3, 3, activation="leaky_relu")(x)
    x = layers.Multiply()([x, layers.Activation("sigmoid")(x)])
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(4)(layers.Activation("tanh")(x)))


def of_words() -> keras.Model:
    """A user's net of the numbers of words."""
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 5)(inputs)
    x = layers.Dense(5, activation="softplus")(x)
    x = layers.Concatenate()(
        [layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)]
    )
    return keras.Model(inputs, layers.Dense(4)(x))


NETS = {
    "of many layers": (of_many_layers, lambda n: DRAWS.random((n, 12, 11, 2), "f")),
    "of words": (of_words, lambda n: DRAWS.integers(20, size=(n, 6)).astype("int32")),
    "conv4, pooled": (
        lambda: conv4(way=4, filters=8, input_shape=(20, 20, 1)),
        lambda n: DRAWS.random((n, 20, 20, 1), "f"),
    ),
}


@pytest.mark.parametrize("net", NETS)
def test_other_nets_adapt_as_in_a_saved_model(form, net, tmp_path) -> None:
    make, draw = NETS[net]
    request = {
        "support_x": draw(7),
        "support_y": np.int32([0, 1, 2, 3, 0, 1, 0]),
        "query_x": draw(5),
    }
    learner = learners.MAML(
        fresh(make(), seed=1), inner_steps=2, inner_lr=0.05, normalisation="support"
    )
    wanted = answer_of(learner, request, tmp_path)
    folder = export.save(learner, tmp_path / "small", format=form.name)
    found = form.answer(folder, "adapt_and_predict", request)
    np.testing.assert_allclose(
        found["probabilities"], wanted["probabilities"], atol=2e-5
    )
    unadapted = answer_of(learner, request, tmp_path / "0", steps=0)["probabilities"]
    assert np.abs(wanted["probabilities"] - unadapted).max() > 1e-3


@keras.saving.register_keras_serializable("test_formats")
class Spectrum(keras.layers.Layer):
    """A layer that small runtimes have no operation for."""

    def call(self, x):
        return tf.linalg.svd(x[..., None] * x[:, None], compute_uv=False)


def test_an_operation_without_a_form_is_named_with_its_layer(form, tmp_path) -> None:
    inputs = keras.Input((3,))
    x = Spectrum(name="spectrum")(keras.layers.Dense(3)(inputs))
    learner = learners.ProtoNet(keras.Model(inputs, x))
    with pytest.raises(
        ValueError, match=r"no form for the operation Svd of .*spectrum"
    ):
        export.save(learner, tmp_path / "out", format=form.name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_go_is_refused_in_a_sentence(form, tmp_path) -> None:
    for options, sentence in (
        ({"names": True}, "has no strings, but support_names is one. Leave out"),
        ({"on_bad_input": "raise"}, "on_bad_input must be 'flag' for the format"),
    ):
        with pytest.raises(ValueError, match=sentence):
            export.save(maml(), tmp_path / "out", format=form.name, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("numbers", ["float16", "bfloat16"])
def test_nets_of_short_numbers_go_or_are_refused(form, numbers, tmp_path) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{numbers}")
    try:
        net = conv4(filters=4, strided=True, input_shape=(8, 8, 1))
        learner = learners.ProtoNet(fresh(net, seed=0))
    finally:
        keras.config.set_dtype_policy(before)
    if (form.name, numbers) == ("onnx", "float16"):
        export.save(learner, tmp_path / "out", format=form.name)  # It compares them.
        return
    with pytest.raises(ValueError, match=f"computes in float32, this net in {numbers}"):
        export.save(learner, tmp_path / "out", format=form.name)
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_and_a_missing_library_are_named(
    tmp_path, monkeypatch
) -> None:
    with pytest.raises(ValueError, match="litert, onnx, web. Received"):
        export.save(maml(), tmp_path / "out", format="tflite")
    monkeypatch.setattr(FORMATS["onnx"], "libraries", ("no_such_library",))
    with pytest.raises(ValueError, match=r"needs no_such_library. Install the extra"):
        export.save(maml(), tmp_path / "out", format="onnx")
    assert not list(tmp_path.iterdir())


ALONE = """
import os, sys
for name in ("tfmeta", "keras", "tensorflow", "onnx", "tf2onnx"):
    sys.modules[name] = None
os.chdir(sys.argv[1])
exec(open("README.md").read().split("```python\\n")[1].split("```")[0], {})
"""


def test_the_readme_asks_without_tensorflow(form, tmp_path) -> None:
    folder = export.save(maml(), tmp_path, format=form.name)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = (folder / "README.md").read_text(encoding="utf-8")
    assert done.stdout.strip() and done.stdout.strip() in shown


def test_a_litert_file_has_built_in_operations_and_each_constant_once(tmp_path) -> None:
    schema = pytest.importorskip(
        "ai_edge_litert.schema_py_generated", reason="needs the extra 'device'"
    )
    net = fresh(conv4(way=5, strided=True, filters=32), seed=0)
    sizes = {}
    for name, learner in {
        "anil": learners.MAML(net, adapt_only="head", normalisation="running"),
        "forward": learners.ProtoNet(conv4(strided=True, filters=32)),
    }.items():
        folder = export.save(learner, tmp_path / name, format="litert")
        content = (folder / "model.tflite").read_bytes()
        sizes[name] = len(content)
        model = schema.ModelT.InitFromPackedBuf(content)
        custom = schema.BuiltinOperator.CUSTOM
        assert all(code.builtinCode != custom for code in model.operatorCodes)
        held = [bytes(b.data) for b in model.buffers if b.data is not None]
        assert len(held) == len(set(held))
        names = {graph.name.decode() for graph in model.subgraphs}
        assert {"adapt", "predict", "adapt_and_predict"} <= names
    assert sizes["anil"] < sizes["forward"] + 300_000


def test_weights_of_eight_bits_take_a_quarter_and_change_little(form, tmp_path) -> None:
    learner = learners.ProtoNet(fresh(conv4(strided=True, filters=32), seed=0))
    request = {
        "support_x": DRAWS.random((10, 28, 28, 1), "f"),
        "support_y": np.tile(np.arange(5, dtype=np.int32), 2),
        "query_x": DRAWS.random((20, 28, 28, 1), "f"),
    }
    found, sizes = {}, {}
    for weights in ("float32", "int8"):
        folder = export.save(
            learner, tmp_path / weights, format=form.name, precision=weights
        )
        found[weights] = form.answer(folder, "adapt_and_predict", request)
        files = [*folder.glob("*.tflite"), *folder.glob("adapt.onnx")]
        sizes[weights] = sum(file.stat().st_size for file in files)
    number = learner.count_params() * 3  # Bytes that int8 saves.
    assert sizes["int8"] < sizes["float32"] - 0.9 * number
    low, high = (found[w]["probabilities"] for w in ("int8", "float32"))
    assert 0 < np.abs(low - high).max() < 0.05


def test_weights_of_eight_bits_are_for_learners_without_inner_steps(tmp_path) -> None:
    with pytest.raises(ValueError, match="'float32' for MAML, whose inner"):
        export.save(maml(), tmp_path, format="litert", precision="int8")
    with pytest.raises(ValueError, match="precision is for the format litert or onnx"):
        export.save(learners.ProtoNet(vectors()), tmp_path, precision="int8")
    with pytest.raises(ValueError, match="precision must be 'float32' or 'int8'"):
        export.save(
            learners.ProtoNet(vectors()), tmp_path, format="onnx", precision="a"
        )
