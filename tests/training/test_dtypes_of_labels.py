"""Labels of any whole dtype mean what int32 labels mean."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import MetaModel
from tfmeta.data import episodes, from_arrays
from tfmeta.learners import MAML, NearestNeighbour, ProtoNet
from tfmeta.nets import fresh, mlp
from tfmeta.training import pretrain

DTYPES = ["int64", "uint8", "bool"]
ALL = {"train": ["False", "True"]}


def data(dtype: str) -> tfmeta.data.Source:
    """Two classes far apart, in the part for training."""
    y = np.arange(24) % 2
    x = np.random.default_rng(0).normal(size=(24, 3)) + 4 * y[:, None]
    names = ["False", "True"]
    y = y.astype(dtype)
    return from_arrays(x.astype("float32"), y, class_names=names, split=ALL)


def learner(kind: type) -> Any:
    if kind is NearestNeighbour:
        return NearestNeighbour()
    if kind is MAML:
        net = mlp(outputs=2, units=(8,), input_shape=(3,), activation="tanh")
        return MAML(fresh(net, seed=0), inner_steps=5, inner_lr=0.3)
    return kind(fresh(mlp(units=(5,), input_shape=(3,)), seed=0))


def stream(dtype: str) -> tf.data.Dataset:
    """Episodes whose labels are cast to a dtype."""

    def cast(x: dict[str, tf.Tensor], y: tf.Tensor) -> Any:
        return {**x, "support_y": tf.cast(x["support_y"], dtype)}, tf.cast(y, dtype)

    made = episodes(data("int32").train, way=2, shot=2, query=3, tasks=2, count=4)
    return made.map(cast)


@pytest.mark.parametrize("kind", [ProtoNet, MAML])
def test_fit_and_evaluate(kind: type) -> None:
    found = {}
    for dtype in ["int32", *DTYPES]:
        model = MetaModel(learner(kind), task_map="loop")
        model.compile(keras.optimizers.SGD(0.1))
        history = model.fit(stream(dtype), verbose=0).history
        score = model.evaluate(stream(dtype), verbose=0)
        found[dtype] = [*model.learner.net.get_weights(), np.array(score)]
        assert history["accuracy"][0] > 0.5
    before = learner(kind).net.get_weights()
    assert np.any(found["int32"][0] != before[0])
    for dtype in DTYPES:
        for a, b in zip(found[dtype], found["int32"], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [ProtoNet, MAML, NearestNeighbour])
def test_scoring_and_adapting(kind: type, dtype: str) -> None:
    part = data(dtype).train
    assert part.class_names == ("False", "True")
    options = {"way": 2, "shot": 3, "query": 5, "episodes": 4}
    scores = [
        tfmeta.evaluate(learner(kind), each, **options).scores
        for each in (part, data("int32").train)
    ]
    np.testing.assert_array_equal(*scores)
    y = part.y.astype(dtype)
    task = MetaModel(learner(kind)).adapt(part.x, y)
    assert task.classes.tolist() == [0, 1] and task.classes.dtype == dtype
    assert task.evaluate(part.x, y) == np.mean(task.classify(part.x) == y) > 0.8


def test_pretraining() -> None:
    nets = {}
    for dtype in ["int32", *DTYPES]:
        nets[dtype] = learner(ProtoNet).net
        pretrain(nets[dtype], data(dtype).train, steps=3, batch_size=6, verbose=0)
    for dtype in DTYPES:
        for a, b in zip(
            nets[dtype].get_weights(), nets["int32"].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
