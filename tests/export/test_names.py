"""Signatures that take the names of classes, and answer with them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.nets import fresh, mlp

NAMES = ["wren", "owl", "wren", "häher", "owl", "wren"]
CLASSES = ["häher", "owl", "wren"]
DRAWS = np.random.default_rng(0)
X = DRAWS.random((6, 3)).astype(np.float32)
QUERY = DRAWS.random((5, 3)).astype(np.float32)


def net(outputs: int | None = None):
    return fresh(mlp(outputs=outputs, units=(5,), input_shape=(3,)), seed=0)


LEARNERS = {
    # A head of more outputs than there are names.
    "maml": lambda: learners.MAML(net(5), inner_steps=2),
    "protonet": lambda: learners.ProtoNet(net(), normalisation="running"),
    "nearest_neighbour": lambda: learners.NearestNeighbour(),
}
INPUTS = {
    "support_x": tf.constant(X),
    "support_names": tf.constant(NAMES),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Each learner, and the signatures of its export."""
    found = {}
    for name, make in LEARNERS.items():
        learner = make()
        shape = (3,) if learner.net is None else None
        folder = export.save(
            learner, tmp_path_factory.mktemp(name), names=True, example_shape=shape
        )
        found[name] = learner, tf.saved_model.load(str(folder))
    return found


@pytest.mark.parametrize("name", LEARNERS)
def test_it_answers_as_python_does_to_the_same_names(name, served) -> None:
    learner, model = served[name]
    task = tfmeta.MetaModel(learner).adapt(X, NAMES)
    wanted = task.predict(QUERY)
    assert task.classes.tolist() == CLASSES
    ask = model.signatures
    state = ask["adapt_names"](**INPUTS)
    query = {"query_x": tf.constant(QUERY)}
    for answer in (
        ask["adapt_and_predict_names"](**INPUTS, **query),
        ask["predict_names"](**query, **state),
    ):
        np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
        told = [CLASSES[i].encode() for i in wanted.argmax(-1)]
        assert answer["names"].numpy().tolist() == told
        assert [c.decode() for c in answer["classes"].numpy()] == CLASSES
        np.testing.assert_array_equal(answer["labels"], wanted.argmax(-1))


@pytest.mark.parametrize("name", LEARNERS)
def test_the_plain_signatures_are_the_same_as_without_names(name, served) -> None:
    _, model = served[name]
    labels = tf.constant([CLASSES.index(n) for n in NAMES])
    query = {"query_x": tf.constant(QUERY)}
    plain = model.signatures["serving_default"](
        support_x=INPUTS["support_x"], support_y=labels, **query
    )
    named = model.signatures["adapt_and_predict_names"](**INPUTS, **query)
    assert set(plain) == {"probabilities", "labels"}
    np.testing.assert_array_equal(plain["labels"], named["labels"])


@pytest.mark.parametrize("name", ["protonet", "nearest_neighbour"])
def test_new_names_come_last_when_a_task_goes_on(name, served) -> None:
    learner, model = served[name]
    ask = model.signatures
    more = DRAWS.random((4, 3)).astype(np.float32)
    names = ["tit", "owl", "auk", "tit"]
    state = ask["adapt_names"](**INPUTS)
    state = ask["extend_names"](
        support_x=tf.constant(more), support_names=tf.constant(names), **state
    )
    answer = ask["predict_names"](query_x=tf.constant(QUERY), **state)
    classes = [*CLASSES, "auk", "tit"]
    assert [c.decode() for c in answer["classes"].numpy()] == classes
    labels = np.int32([classes.index(n) for n in NAMES + names])
    wanted = tfmeta.MetaModel(learner).adapt(np.concatenate([X, more]), labels)
    wanted = wanted.predict(QUERY)
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)


REFUSED = {
    "empty": (["a", "", "b", "a", "a", "b"], "support_names has an empty name, numb"),
    "long": (["a" * 1025] * 6, "has a name of 1025 bytes, but at most 1024"),
    "too many": (list("abcdef"), "would be 6 classes, but .* at most 5 classes"),
    "too few rows": (["a"] * 5, "support_x has 6 examples, but support_names has 5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_names_are_refused(case, served) -> None:
    names, sentence = REFUSED[case]
    _, model = served["maml"]
    for verb, query in (("adapt", {}), ("adapt_and_predict", {"query_x": QUERY})):
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            model.signatures[f"{verb}_names"](
                support_x=tf.constant(X),
                support_names=tf.constant(names),
                **{name: tf.constant(x) for name, x in query.items()},
            )


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (["a", "b", "a"], "classes has a name more than once"),
        (["a", "b", ""], "classes has an empty name, number 2"),
        (["a", "b", "c", "d"], "4 names of classes, but the adapted state has 3"),
    ],
)
def test_other_classes_in_a_state_are_refused(classes, sentence, served) -> None:
    _, model = served["protonet"]
    state = model.signatures["adapt_names"](**INPUTS)
    state["classes"] = tf.constant(classes)
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        model.signatures["predict_names"](query_x=tf.constant(QUERY), **state)


def test_a_label_goes_on_below_the_rows_of_the_state(served) -> None:
    ask = served["protonet"][1].signatures
    y = tf.constant([0, 1, 1, 2, 0, 2])
    state = ask["adapt"](support_x=INPUTS["support_x"], support_y=y)
    more = {"support_x": tf.constant(X[:1]), **state}
    assert ask["extend"](support_y=tf.constant([3]), **more)["counts"].shape == (4,)
    # The state of this net has 3 prototypes and as many counts, of 5 numbers each.
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"with 1 examples and this .* in 0\.\.3"
    ):
        ask["extend"](support_y=tf.constant([4]), **more)


def test_only_learners_that_extend_have_the_signature(served) -> None:
    assert "extend" not in served["maml"][1].signatures
    assert "extend" in served["protonet"][1].signatures


def test_names_of_values_are_refused(tmp_path) -> None:
    learner = learners.MAML(net(2), targets="values")
    with pytest.raises(ValueError, match="names=True is for the names of classes"):
        export.save(learner, tmp_path / "a", names=True)
    assert not list(tmp_path.iterdir())


def test_names_that_repeat_are_refused(tmp_path) -> None:
    learner = learners.NearestNeighbour()
    state = {"examples": tf.zeros((2, 1)), "labels": tf.constant([0, 1])}
    with pytest.raises(ValueError, match="'3', more than once. Rename"):
        export.save_classifier(
            learner, state, [3, "3"], tmp_path / "a", example_shape=(1,)
        )
    assert not list(tmp_path.iterdir())
