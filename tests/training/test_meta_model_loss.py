"""The loss that Keras reports is the mean over tasks, whatever the batches."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import MetaModel
from tfmeta.learners import MAML


def model() -> MetaModel:
    """A net that answers with its input, and whose weights stay as they are."""
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    net.set_weights([np.eye(1), np.zeros(1)])
    learner = MAML(net, inner_steps=0, targets="values")
    made = MetaModel(learner, task_map="loop")
    made.compile(keras.optimizers.SGD(0.0))
    return made


# Errors of three tasks, whose mean squares are 1, 4 and 16: together 7. The mean of
# the means of batches of two and one would be (2.5 + 16) / 2 = 9.25.
ERRORS = np.float32([[1, -1], [2, 2], [4, -4]])[..., None]


def stream(errors: np.ndarray = ERRORS, **counts: np.ndarray) -> tf.data.Dataset:
    zeros = np.zeros((3, 2, 1), "float32")
    x = {"support_x": zeros, "support_y": zeros, "query_x": zeros, **counts}
    return tf.data.Dataset.from_tensor_slices((x, errors)).batch(2)


def test_each_task_counts_once_in_evaluate_and_fit() -> None:
    assert model().evaluate(stream(), verbose=0)[0] == pytest.approx(7)
    assert model().fit(stream(), verbose=0).history["loss"] == pytest.approx([7])
    history = model().fit(stream(), validation_data=stream(), verbose=0).history
    assert history["val_loss"] == pytest.approx([7])


def test_padded_queries_do_not_count() -> None:
    """The first query of the second and third task is real: 4 and 16 stay."""
    errors = ERRORS.copy()
    errors[1:, 1] = 1000
    asked = np.int32([2, 1, 1])
    padded = stream(errors, support_count=np.int32([2, 2, 2]), query_count=asked)
    assert model().evaluate(padded, verbose=0)[0] == pytest.approx(7)
    assert model().fit(padded, verbose=0).history["loss"] == pytest.approx([7])
