"""An adapted task answers by the weights that it was adapted with."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.learners import (
    MAML,
    Learner,
    LinearProbe,
    MatchingNet,
    NearestNeighbour,
    ProtoNet,
)
from tfmeta.nets import fresh, mlp

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(5, 3)).astype(np.float32)
NAMES = ["owl", "wren", "wren", "owl", "owl"]
QUERIES = DRAWS.normal(size=(4, 3)).astype(np.float32)
MORE = DRAWS.normal(size=(2, 3)).astype(np.float32)


def net(outputs: int | None = None) -> keras.Model:
    return fresh(mlp(outputs=outputs, units=(4,), input_shape=(3,)), seed=0)


def tokens() -> keras.Model:
    inputs = keras.Input((3,), dtype="int32")
    x = keras.layers.Embedding(7, 4)(inputs)
    return keras.Model(inputs, keras.layers.Flatten()(x))


LEARNERS = {
    "protonet": lambda: ProtoNet(net()),
    "matching_net": lambda: MatchingNet(net(), full_context=True),
    "anil": lambda: MAML(net(3), adapt_only="head"),
    "linear_probe": lambda: LinearProbe(net(), eval_steps=2),
    "nearest": NearestNeighbour,
}


def in_place(learner: Learner) -> None:
    for variable in learner.variables:
        variable.value.assign_sub(tf.ones_like(variable.value))


def anew(learner: Learner) -> None:
    for variable in learner.variables:
        variable.assign(variable + 1)


def by_rows(learner: Learner) -> None:
    for variable in learner.variables:
        row = tf.IndexedSlices(-tf.ones_like(variable.value[:1]), tf.constant([0]))
        for _ in range(2):
            variable.value.scatter_sub(row)


def trained(learner: Learner) -> None:
    optimizer = keras.optimizers.Adam(0.5)
    variables = learner.trainable_variables
    for _ in range(2):
        optimizer.apply([tf.ones_like(v.value) for v in variables], variables)


OTHERS = [anew, by_rows, trained]
CHANGES = [in_place, *OTHERS]


@pytest.mark.parametrize(
    ("name", "change"),
    [(n, in_place) for n in LEARNERS] + [("anil", c) for c in OTHERS],
)
def test_more_training_changes_no_answer(name, change, tmp_path):
    learner = LEARNERS[name]()
    task = tfmeta.MetaModel(learner).adapt(X, NAMES)
    before = task.predict(QUERIES)
    change(learner)
    np.testing.assert_array_equal(task.predict(QUERIES), before)
    served = tf.saved_model.load(str(task.save(tmp_path))).signatures["predict"]
    answer = served(query_x=tf.constant(QUERIES))["probabilities"]
    np.testing.assert_allclose(answer, before, atol=1e-6)
    if learner.variables:
        after = tfmeta.MetaModel(learner).adapt(X, NAMES).predict(QUERIES)
        assert np.abs(after - before).max() > 1e-4


def by_hand(weights: list[np.ndarray], x, labels, queries) -> np.ndarray:
    """A ProtoNet's probabilities in NumPy: one hidden layer of ReLU."""
    kernel, bias = (w.astype(np.float64) for w in weights)
    z, q = (np.maximum(a @ kernel + bias, 0) for a in (x, queries))
    labels = np.array(labels)
    means = np.stack([z[labels == i].mean(0) for i in range(labels.max() + 1)])
    logits = -((q[:, None] - means) ** 2).sum(-1)
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


@pytest.mark.parametrize("change", CHANGES)
def test_a_class_is_added_by_the_weights_of_the_first(change, tmp_path):
    learner = ProtoNet(net())
    weights = [v.numpy().copy() for v in learner.variables]
    task = tfmeta.MetaModel(learner).adapt(X, NAMES)
    change(learner)
    task.add_class(MORE, "crow")
    together = np.concatenate([X, MORE])
    wanted = by_hand(weights, together, [0, 1, 1, 0, 0, 2, 2], QUERIES)
    np.testing.assert_allclose(task.predict(QUERIES), wanted, atol=1e-5)
    served = tf.saved_model.load(str(task.save(tmp_path))).signatures["predict"]
    answer = served(query_x=tf.constant(QUERIES))["probabilities"]
    np.testing.assert_allclose(answer, wanted, atol=1e-5)


def test_a_learner_that_adapts_anew_takes_its_first_weights():
    learner = MAML(net(3), adapt_only="head")
    task, other = (tfmeta.MetaModel(learner).adapt(X, NAMES) for _ in range(2))
    other.add_class(MORE, "crow")
    in_place(learner)
    task.add_class(MORE, "crow")
    np.testing.assert_array_equal(task.predict(QUERIES), other.predict(QUERIES))


@pytest.mark.parametrize("change", CHANGES)
def test_an_embedding_that_is_trained_by_rows_changes_no_answer(change):
    learner = ProtoNet(tokens())
    x, queries = (DRAWS.integers(7, size=(n, 3)) for n in (5, 4))
    task = tfmeta.MetaModel(learner).adapt(x, NAMES)
    before = task.predict(queries)
    change(learner)
    np.testing.assert_array_equal(task.predict(queries), before)


def test_a_regressor_keeps_its_weights_too(tmp_path):
    learner = MAML(net(1), adapt_only="head", targets="values")
    task = tfmeta.MetaModel(learner).adapt(X, X[:, :1] * 2)
    before = task.predict(QUERIES)
    in_place(learner)
    np.testing.assert_array_equal(task.predict(QUERIES), before)
    served = tf.saved_model.load(str(task.save(tmp_path))).signatures["predict"]
    answer = served(query_x=tf.constant(QUERIES))["values"]
    np.testing.assert_allclose(answer, before, atol=1e-6)


def test_what_no_query_reads_is_not_saved(tmp_path):
    wide = fresh(mlp(outputs=2, units=(1000,), input_shape=(300,)), seed=0)
    x = np.zeros((2, 300), np.float32)
    folder = tfmeta.MetaModel(MAML(wide)).adapt(x, ["a", "b"]).save(tmp_path)
    size = sum(file.stat().st_size for file in (folder / "variables").iterdir())
    assert size < 1.1 * 4 * sum(np.prod(v.shape) for v in wide.variables)
