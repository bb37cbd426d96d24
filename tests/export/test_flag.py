"""Signatures that say `valid` where others raise."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export, learners
from tfmeta.core import Examples, Options
from tfmeta.nets import fresh, mlp

DRAWS = np.random.default_rng(0)
REQUEST = {
    "support_x": DRAWS.random((4, 3)).astype(np.float32),
    "support_y": np.int32([2, 0, 1, 0]),
    "query_x": DRAWS.random((5, 3)).astype(np.float32),
}


def feature_net(way=None):
    return fresh(mlp(outputs=way, units=(5,), input_shape=(3,)), seed=0)


def python_answer(learner: learners.Learner, request: dict) -> np.ndarray:
    x = constants(request)
    adapted = learner.adapt(Examples(x["support_x"], x["support_y"]), Options())
    return tf.nn.softmax(learner.predict(adapted, x["query_x"], Options())).numpy()


LEARNERS = {
    "maml": lambda: learners.MAML(feature_net(way=4), inner_steps=2),
    "protonet": lambda: learners.ProtoNet(feature_net(), normalisation="running"),
    "nearest_neighbour": lambda: learners.NearestNeighbour(),
}
BAD = {
    "a label": {"support_y": np.int32([2, 0, 9, 0])},
    "a negative label": {"support_y": np.int32([2, 0, -1, 0])},
    "a huge label": {"support_y": np.int32([2, 0, 2_000_000_000, 0])},
    "NaN in the support": {"support_x": REQUEST["support_x"] * np.float32("nan")},
    "no support": {
        "support_x": REQUEST["support_x"][:0],
        "support_y": REQUEST["support_y"][:0],
    },
    "fewer labels": {"support_y": REQUEST["support_y"][:3]},
    "infinite queries": {"query_x": REQUEST["query_x"] * np.float32("inf")},
}


def constants(request: dict) -> dict:
    return {name: tf.constant(value) for name, value in request.items()}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    found = {}
    for name, make in LEARNERS.items():
        learner = make()
        shape = (3,) if learner.net is None else None
        folder = export.save(
            learner,
            tmp_path_factory.mktemp(name),
            on_bad_input="flag",
            example_shape=shape,
        )
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert "* Answered with `valid` 0, labels -1," in text
        found[name] = learner, tf.saved_model.load(str(folder))
    return found


@pytest.mark.parametrize("name", LEARNERS)
def test_a_good_request_is_valid_and_answered(name, served) -> None:
    learner, model = served[name]
    request = constants(REQUEST)
    wanted = python_answer(learner, REQUEST)
    query = {"query_x": request.pop("query_x")}
    state = model.signatures["adapt"](**request)
    assert int(state["state_valid"]) == 1 and state["state_valid"].dtype == tf.int32
    for answer in (
        model.signatures["serving_default"](**request, **query),
        model.signatures["predict"](**query, **state),
    ):
        assert int(answer["valid"]) == 1
        np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", LEARNERS)
def test_a_bad_request_is_never_answered(name, bad, served) -> None:
    _, model = served[name]
    request = constants({**REQUEST, **BAD[bad]})
    query = {"query_x": request.pop("query_x")}
    state = model.signatures["adapt"](**request)
    for answer in (
        model.signatures["serving_default"](**request, **query),
        model.signatures["predict"](**query, **state),
    ):
        assert int(answer["valid"]) == 0
        assert answer["labels"].numpy().tolist() == [-1] * 5
        assert not answer["probabilities"].numpy().any()


def test_a_state_of_nan_is_not_valid(served) -> None:
    _, model = served["protonet"]
    request = constants(REQUEST)
    query = {"query_x": request.pop("query_x")}
    state = model.signatures["adapt"](**request)
    state["prototypes"] *= float("nan")
    assert int(model.signatures["predict"](**query, **state)["valid"]) == 0


def test_further_examples_do_not_make_a_state_valid(served) -> None:
    _, model = served["protonet"]
    request = constants({**REQUEST, **BAD["a label"]})
    request.pop("query_x")
    state = model.signatures["adapt"](**request)
    good = constants(REQUEST)
    good.pop("query_x")
    assert int(model.signatures["extend"](**good, **state)["state_valid"]) == 0
    state = model.signatures["adapt"](**good)
    assert int(model.signatures["extend"](**good, **state)["state_valid"]) == 1


def test_no_values_are_nan(tmp_path) -> None:
    learner = learners.MAML(feature_net(way=2), inner_steps=1, targets="values")
    folder = export.save(learner, tmp_path, on_bad_input="flag")
    ask = tf.saved_model.load(str(folder)).signatures["serving_default"]
    request = constants({**REQUEST, "support_y": np.float32(np.ones((4, 2)))})
    answer = ask(**request)
    assert int(answer["valid"]) == 1 and np.isfinite(answer["values"]).all()
    request["support_y"] *= float("inf")
    answer = ask(**request)
    assert int(answer["valid"]) == 0 and np.isnan(answer["values"]).all()


def test_the_graph_can_neither_raise_nor_spell(served) -> None:
    _, model = served["maml"]
    for name, function in model.signatures.items():
        graphs = [function.graph.as_graph_def()]
        kinds = {n.op for g in graphs for n in g.node}
        kinds |= {n.op for g in graphs for f in g.library.function for n in f.node_def}
        assert not kinds & {"Assert", "StringFormat", "OptionalFromValue"}, name


def test_another_word_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="on_bad_input must be 'raise' or 'flag'"):
        export.save(LEARNERS["maml"](), tmp_path / "a", on_bad_input="warn")
    assert not list(tmp_path.iterdir())
