"""Learners exported once, with Python's own answers beside them."""

from __future__ import annotations

import pathlib
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export, learners
from tfmeta.core import Examples, Options
from tfmeta.nets import conv4, mlp

IMAGE, FEATURES = (8, 8, 1), (3,)


class Exported(NamedTuple):
    learner: learners.Learner
    folder: pathlib.Path
    request: dict[str, np.ndarray]
    probabilities: np.ndarray


def drawn(net: keras.Model, seed: int = 0) -> keras.Model:
    """The net with weights and moving statistics of a seed, none of them zero."""
    draws = np.random.default_rng(seed)
    for variable in net.trainable_variables:
        variable.assign(draws.normal(0, 0.7, variable.shape))
    for variable in net.non_trainable_variables:
        variable.assign(draws.uniform(0.5, 1, variable.shape))
    return net


def image_net(way: int | None = None) -> keras.Model:
    return drawn(conv4(way=way, filters=4, strided=True, input_shape=IMAGE))


def feature_net(way: int | None = None) -> keras.Model:
    return drawn(mlp(outputs=way, units=(5,), input_shape=FEATURES))


def python_answer(
    learner: learners.Learner, request: dict[str, Any], steps: int | None = None
) -> np.ndarray:
    x = {name: tf.constant(value) for name, value in request.items()}
    options = Options(steps=steps)
    adapted = learner.adapt(Examples(x["support_x"], x["support_y"]), options)
    return tf.nn.softmax(learner.predict(adapted, x["query_x"], options)).numpy()


# A learner, the steps it is exported with (None: its own), the support labels:
# unequal shots, gaps, an order of no use, several ways. `test_save_table.py` exports
# every learner; these are for what a saved model promises beside its answers.
CASES = {
    "maml": (
        lambda: learners.MAML(image_net(way=4), inner_steps=2),
        None,
        [2, 0, 2, 2, 3],
    ),
    "maml_first_order": (
        lambda: learners.MAML(feature_net(way=4), first_order=True),
        8,
        [0, 0, 1],
    ),
    "protonet": (lambda: learners.ProtoNet(image_net()), None, [1, 0, 2, 1, 1, 4]),
    "nearest_neighbour": (lambda: learners.NearestNeighbour(), None, [0, 3, 1, 0]),
    "from_scratch": (
        lambda: learners.FromScratch(feature_net(way=3), eval_steps=4),
        None,
        [1, 0, 0],
    ),
}


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    root = tmp_path_factory.mktemp("exported")
    draws = np.random.default_rng(1)
    found = {}
    for name, (make, steps, labels) in CASES.items():
        learner = make()
        shape = FEATURES if learner.net is None else learner.net.input_shape[1:]
        request = {
            "support_x": draws.random((len(labels), *shape)).astype(np.float32),
            "support_y": np.array(labels, np.int32),
            "query_x": draws.random((5, *shape)).astype(np.float32),
        }
        folder = export.save(
            learner,
            root / name,
            steps=steps,
            example_shape=FEATURES if learner.net is None else None,
        )
        answer = python_answer(learner, request, steps)
        found[name] = Exported(learner, folder, request, answer)
    return found
