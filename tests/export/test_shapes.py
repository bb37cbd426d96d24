"""Requests of other shapes than declared are refused with a sentence."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.nets import conv4, mlp

IMAGE = (8, 8, 1)


def two_inputs() -> keras.Model:
    shapes = {"left": (4,), "right": (2, 3)}
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    right = keras.layers.Flatten()(inputs["right"])
    x = keras.layers.Concatenate()([inputs["left"], right])
    return keras.Model(inputs, keras.layers.Dense(3)(x))


LEARNERS = {
    "images": lambda: learners.ProtoNet(
        conv4(filters=2, strided=True, input_shape=IMAGE)
    ),
    "head": lambda: learners.MAML(
        conv4(way=3, filters=2, strided=True, input_shape=IMAGE)
    ),
    "nest": lambda: learners.ProtoNet(two_inputs()),
    "values": lambda: learners.MAML(
        mlp(outputs=2, units=(3,), input_shape=(3,)), targets="values"
    ),
}


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


REQUESTS = {
    "images": {
        "support_x": zeros(3, *IMAGE),
        "support_y": np.array([0, 1, 1], np.int32),
        "query_x": zeros(2, *IMAGE),
    },
    "nest": {
        "support_x_left": zeros(3, 4),
        "support_x_right": zeros(3, 2, 3),
        "support_y": np.array([0, 1, 1], np.int32),
        "query_x_left": zeros(2, 4),
        "query_x_right": zeros(2, 2, 3),
    },
    "values": {
        "support_x": zeros(3, 3),
        "support_y": zeros(3, 2),
        "query_x": zeros(2, 3),
    },
}
REQUESTS["head"] = REQUESTS["images"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Asks an export for ONE output, as a server may."""
    folder = tmp_path_factory.mktemp("shapes")
    opened: dict = {}
    for name, make in LEARNERS.items():
        learner, request = make(), REQUESTS[name]
        opened[name] = tf.saved_model.load(str(export.save(learner, folder / name)))
        x = {k[10:]: v for k, v in request.items() if k.startswith("support_x")}
        y = request["support_y"]
        task = tfmeta.MetaModel(learner).adapt(x if "" not in x else x[""], y)
        path = task.save(folder / f"{name}_adapted")
        opened[f"{name}_adapted"] = tf.saved_model.load(str(path))

    def run(name: str, signature: str, output: str, request: dict):
        ask = opened[name].signatures[signature]
        taken = ask.structured_input_signature[1]
        specs = [tf.TensorSpec(None, spec.dtype) for spec in taken.values()]

        @tf.function(input_signature=specs, autograph=False)
        def one(*values):
            return ask(**dict(zip(taken, values, strict=True)))[output]

        return one(*(tf.constant(request[k]) for k in taken))

    return run


# An input, a wrong shape, and the shape that the sentence must show.
WRONG = [
    ("images", "query_x", (2, 8, 7, 1), "any number, 8, 8, 1"),
    ("images", "query_x", (2, 8, 8), "any number, 8, 8, 1"),
    ("images", "query_x", (8, 8, 1), "any number, 8, 8, 1"),
    ("images", "query_x", (2, 64), "any number, 8, 8, 1"),
    ("images", "query_x", (1, 2, 8, 8, 1), "any number, 8, 8, 1"),
    ("images", "query_x", (0, 8, 7, 1), "any number, 8, 8, 1"),
    ("images", "query_x", (), "any number, 8, 8, 1"),
    ("images", "support_x", (3, 8, 7, 1), "any number, 8, 8, 1"),
    ("images", "support_x", (3, 8, 8, 18), "any number, 8, 8, 1"),
    ("images", "support_x", (3, 64), "any number, 8, 8, 1"),
    ("images", "support_y", (3, 1), "any number"),
    ("images", "support_y", (), "any number"),
    ("head", "query_x", (2, 8, 7, 1), "any number, 8, 8, 1"),
    ("head", "support_x", (3, 7, 8, 1), "any number, 8, 8, 1"),
    ("nest", "query_x_right", (2, 3, 2), "any number, 2, 3"),
    ("nest", "support_x_left", (3, 4, 1), "any number, 4"),
    ("values", "support_y", (3, 1), "any number, 2"),
    ("values", "support_y", (3,), "any number, 2"),
    ("values", "query_x", (2, 4), "any number, 3"),
    ("values", "support_x", (3, 1), "any number, 3"),
]
OUTPUT = {"values": "values"}
ADAPTED = {
    "images": {"prototypes": zeros(2, 2), "counts": np.ones(2, np.int32)},
    "nest": {"prototypes": zeros(2, 3), "counts": np.ones(2, np.int32)},
}


def sentence(name: str, wanted: str, shape: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, shape))
    return re.escape(f"{name} must have the shape ({wanted}). Received: ({shown}).")


@pytest.mark.parametrize(("case", "name", "shape", "wanted"), WRONG)
def test_each_signature_refuses_another_shape(case, name, shape, wanted, served):
    request = REQUESTS[case]
    broken = {**request, name: np.zeros(shape, request[name].dtype)}
    output = OUTPUT.get(case, "labels")
    signatures = [(case, "serving_default", output)]
    if name.startswith("query"):
        signatures.append((f"{case}_adapted", "predict", output))
        if case in ADAPTED:
            request, broken = ({**r, **ADAPTED[case]} for r in (request, broken))
            signatures.append((case, "predict", output))
    elif case in ADAPTED:
        signatures += [(case, "adapt", state) for state in ADAPTED[case]]
    for signature in signatures:
        served(*signature, request)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=sentence(name, wanted, shape)
        ):
            served(*signature, broken)


@pytest.mark.parametrize(
    ("state", "shape", "wanted"),
    [
        ("prototypes", (2, 3), "any number, 2"),
        ("prototypes", (2,), "any number, 2"),
        ("counts", (2, 1), "any number"),
    ],
)
def test_a_state_of_another_shape_is_refused(state, shape, wanted, served):
    request = {**REQUESTS["images"], **ADAPTED["images"]}
    served("images", "predict", "labels", request)
    request[state] = np.ones(shape, request[state].dtype)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=sentence(state, wanted, shape)
    ):
        served("images", "predict", "labels", request)


def test_a_loaded_signature_refuses_them_too(tmp_path):
    folder = export.save(LEARNERS["images"](), tmp_path)
    ask = tf.saved_model.load(str(folder)).signatures["serving_default"]
    request = {k: tf.constant(v) for k, v in REQUESTS["images"].items()}
    assert ask(**request)["labels"].shape == (2,)
    for shape in [(2, 8, 7, 1), (2, 8, 8), ()]:
        request["query_x"] = tf.zeros(shape)
        said = sentence("query_x", "any number, 8, 8, 1", shape)
        with pytest.raises(tf.errors.InvalidArgumentError, match=said):
            ask(**request)


def test_adapted_weights_of_another_shape_are_refused(tmp_path):
    folder = export.save(LEARNERS["values"](), tmp_path)
    served = tf.saved_model.load(str(folder)).signatures
    request = {k: tf.constant(v) for k, v in REQUESTS["values"].items()}
    query = {"query_x": request.pop("query_x")}
    state = served["adapt"](**request)
    assert served["predict"](**query, **state)["values"].shape == (2, 2)
    state["params_01"] = tf.zeros((1,))  # A bias that would broadcast.
    said = sentence("params_01", "3", (1,))
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        served["predict"](**query, **state)
