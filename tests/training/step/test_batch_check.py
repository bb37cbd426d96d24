"""Labels that no answer can have are refused before anything is learned."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import MetaModel
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.learners import MAML, ProtoNet
from tfmeta.nets import mlp
from tfmeta.training.step.batch_check import check_batch, unpacked

PREPARE = Preparation()


def batch(support, query):
    support, query = np.int32(support), np.int32(query)
    x = {
        "support_x": np.zeros((*support.shape, 3), "float32"),
        "support_y": support,
        "query_x": np.zeros((*query.shape, 3), "float32"),
    }
    return x, query


def maml() -> MAML:
    return MAML(mlp(outputs=3, input_shape=(3,)))


def test_labels_in_range_pass() -> None:
    # The check returns nothing; what it refuses it raises.
    good = batch([[0, 2, 2], [1, 0, 2]], [[2, 0], [1, 1]])
    assert check_batch(*good, maml(), PREPARE) is None
    any_way = ProtoNet(mlp(input_shape=(3,)))
    assert check_batch(*batch([[0, 7]], [[7]]), any_way, PREPARE) is None


@pytest.mark.parametrize("wrong", [3, -1])
def test_labels_outside_the_head_are_refused(wrong: int) -> None:
    bad = batch([[0, 1], [0, wrong]], [[0], [0]])
    with pytest.raises(ValueError, match=r"at least 0 and below 3.*task 1"):
        check_batch(*bad, maml(), PREPARE)


def test_queries_of_an_absent_class_are_refused() -> None:
    bad = batch([[0, 1], [0, 2]], [[1], [1]])
    with pytest.raises(ValueError, match=r"task 1 asks for class 1.*has \[0, 2\]"):
        check_batch(*bad, maml(), PREPARE)


def test_padding_is_not_looked_at() -> None:
    x, y = batch([[1, 0]], [[1, 0]])
    x["support_y"][0, 1] = 9
    y[0, 1] = 9
    with pytest.raises(ValueError, match="below 3"):
        check_batch(x, y, maml(), PREPARE)
    x |= {"support_count": np.int32([1]), "query_count": np.int32([1])}
    assert check_batch(x, y, maml(), PREPARE) is None


def test_fit_refuses_its_first_batch() -> None:
    model = MetaModel(maml())
    model.compile(keras.optimizers.SGD(0.1))
    stream = tf.data.Dataset.from_tensors(batch([[1, 3]], [[3]])).repeat()
    with pytest.raises(ValueError, match="Labels must be at least 0 and below 3"):
        model.fit(stream, steps_per_epoch=1, verbose=0)


def test_weights_are_refused() -> None:
    x, y = batch([[0, 1]], [[1]])
    assert unpacked((x, y)) == (x, y)
    with pytest.raises(ValueError, match="the same weight. Received: class_w"):
        unpacked((x, y, np.ones(1)))


def test_each_example_needs_its_label():
    learner = ProtoNet(mlp(input_shape=(3,)))
    x, y = batch([[0, 1]], [[0, 1]])
    check_batch(x, y, learner, PREPARE)
    with pytest.raises(ValueError, match=r"query_x.*same two axes.*\(1, 2, 3\).*1, 1"):
        check_batch(x, y[:, :1], learner, PREPARE)
    with pytest.raises(ValueError, match="support_x and the labels.*same two axes"):
        check_batch({**x, "support_y": y[:, :1]}, y, learner, PREPARE)
    texts = tf.constant([["a", "b"]])
    with pytest.raises(ValueError, match="support_y must hold the number.*string"):
        check_batch({**x, "support_y": texts}, texts, learner, PREPARE)
