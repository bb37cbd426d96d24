"""No queries give empty answers, whatever normalisation does with a batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, MatchingNet, NearestNeighbour, ProtoNet
from tfmeta.nets import conv4

X = np.random.default_rng(0).random((4, 8, 8, 1)).astype(np.float32)
NONE = X[:0]


def images(way: int | None = None) -> keras.Model:
    return conv4(way=way, filters=2, strided=True, input_shape=(8, 8, 1))


def values() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = BatchNorm()(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


@pytest.mark.parametrize("mode", ["task", "support", "running"])
@pytest.mark.parametrize(
    "make", [lambda **k: MAML(images(2), **k), lambda **k: ProtoNet(images(), **k)]
)
def test_a_classifier_answers_none(make, mode, tmp_path):
    model = tfmeta.MetaModel(make(normalisation=mode))
    task = model.adapt(X, ["owl", "owl", "wren", "wren"])
    assert task.predict(NONE).shape == (0, 2)
    assert task.classify(NONE).shape == (0,)
    assert task.classify(NONE, reject_below=0.5).shape == (0,)
    with pytest.raises(ValueError, match="at least one. Received: 0 queries"):
        task.evaluate(NONE, [])
    folder = task.save(tmp_path, allow_transductive=True)
    served = tf.saved_model.load(str(folder)).signatures["predict"]
    answer = served(query_x=tf.constant(NONE))
    assert answer["probabilities"].shape == (0, 2) and answer["names"].shape == (0,)


@pytest.mark.parametrize("learner", [NearestNeighbour(), MatchingNet(images())])
def test_learners_that_keep_examples_answer_none(learner):
    task = tfmeta.MetaModel(learner).adapt(X, [0, 0, 1, 1])
    assert task.predict(NONE).shape == (0, 2)


@pytest.mark.parametrize("mode", ["task", "support", "running"])
def test_a_regressor_answers_none(mode, tmp_path):
    learner = MAML(values(), normalisation=mode, targets="values")
    task = tfmeta.MetaModel(learner).adapt(X, np.zeros((4, 3)))
    assert task.predict(NONE).shape == (0, 3)
    with pytest.raises(ValueError, match="at least one. Received: 0 queries"):
        task.evaluate(NONE, np.zeros((0, 3)))
    folder = task.save(tmp_path / "adapted", allow_transductive=True)
    served = tf.saved_model.load(str(folder)).signatures["predict"]
    assert served(query_x=tf.constant(NONE))["values"].shape == (0, 3)
    folder = tfmeta.export.save(learner, tmp_path / "all", allow_transductive=True)
    served = tf.saved_model.load(str(folder)).signatures
    support = {"support_x": tf.constant(X), "support_y": tf.zeros((4, 3))}
    answer = served["adapt_and_predict"](**support, query_x=tf.constant(NONE))
    assert answer["values"].shape == (0, 3)
    state = served["adapt"](**support)
    answer = served["predict"](**state, query_x=tf.constant(NONE))
    assert answer["values"].shape == (0, 3)
