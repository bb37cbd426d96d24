"""Labels and values against NumPy written the dumb way."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import Labels, Values
from tfmeta.core import Targets, as_targets, targets_of
from tfmeta.core.targets import correct

LABELS = np.array([3, 0, 0, 2, 3, 3, 0], "int32")


def rows(n: int, features: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, features))


def test_cross_entropy_is_the_mean_in_nats() -> None:
    logits = rows(7, 4)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = np.mean([-np.log(chances[i, y]) for i, y in enumerate(LABELS)])
    got = Labels().loss(tf.constant(logits), tf.constant(LABELS))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    metrics = Labels().metrics(tf.constant(logits), tf.constant(LABELS))
    np.testing.assert_allclose(metrics["nll"], expected, rtol=1e-6)
    right = [np.argmax(row) == y for row, y in zip(logits, LABELS, strict=True)]
    np.testing.assert_allclose(metrics["accuracy"], sum(right) / 7, rtol=1e-6)


def test_cross_entropy_and_its_gradient_bear_absent_classes() -> None:
    finite, labels = tf.constant(rows(2, 2)), Labels()
    with tf.GradientTape() as tape:
        tape.watch(finite)
        absent = tf.fill([2, 1], tf.constant(-np.inf, tf.float64))
        logits = tf.concat([finite[:, :1], absent, finite[:, 1:]], 1)
        loss = labels.loss(logits, tf.constant([0, 2]))
    np.testing.assert_allclose(loss, labels.loss(finite, tf.constant([0, 1])))
    assert np.isfinite(tape.gradient(loss, finite)).all()


def test_correct() -> None:
    logits = tf.constant([[[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [0.0, -np.inf]]])
    for dtype in (tf.int32, tf.int64):
        y = tf.constant([[1, 1], [1, 0]], dtype)
        assert correct(logits, y).numpy().tolist() == [[1.0, 0.0], [1.0, 1.0]]
    assert np.isnan(correct(tf.constant([[np.nan, 1.0]]), tf.constant([1]))).all()


def test_outputs_of_labels() -> None:
    logits = np.array([[0.0, -np.inf, 1.0]])
    outputs = Labels().outputs(tf.constant(logits))
    expected = [[1 / (1 + np.e), 0, np.e / (1 + np.e)]]
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-6)
    assert outputs["probabilities"].dtype == tf.float32
    assert outputs["labels"].numpy().tolist() == [2]


def test_squared_error_is_the_mean() -> None:
    a, b = rows(5), rows(5, seed=1)
    got = Values().loss(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(got, sum((a - b).ravel() ** 2) / 15, rtol=1e-12)
    metrics = Values().metrics(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(metrics["mse"], got, rtol=1e-6)
    np.testing.assert_allclose(metrics["mae"], sum(abs(a - b).ravel()) / 15, rtol=1e-6)


def test_the_mean_of_a_nest_is_what_is_compared() -> None:
    mean, y = tf.constant(rows(4, 1)), tf.constant(rows(4, 1, seed=1))
    nest = {"mean": mean, "deviation": tf.ones_like(mean)}
    assert Values().loss(nest, y) == Values().loss(mean, y)
    outputs = Values().outputs(nest)
    assert sorted(outputs) == ["deviation", "mean"]
    assert Values().outputs(mean)["values"].dtype == tf.float32


@pytest.mark.parametrize("shape", [(5,), (5, 3), (1, 1)])
def test_targets_are_not_broadcast(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape of the predictions"):
        Values().loss(tf.constant(rows(5, 1)), tf.zeros(shape, tf.float64))


def test_float_labels_are_refused() -> None:
    with pytest.raises(ValueError, match='Labels must be integers.*targets="values"'):
        Labels().loss(tf.zeros((2, 3)), tf.zeros((2,)))


def test_whole_numbers_may_be_values() -> None:
    got = Values().loss(tf.constant([[1.5], [2.0]]), tf.constant([[1], [4]]))
    assert got == (0.25 + 4.0) / 2


@pytest.mark.parametrize("targets", [Labels(), Values()])
def test_serialised_as_keras_losses_are(targets: Targets) -> None:
    config = keras.saving.serialize_keras_object(targets)
    again = keras.saving.deserialize_keras_object(config)
    assert again == targets and hash(again) == hash(targets)
    assert as_targets(targets.name) == as_targets(targets) == targets


def test_what_y_is() -> None:
    assert targets_of(tf.constant([1])) == targets_of(np.array([1])) == Labels()
    assert targets_of(tf.TensorSpec((None,), tf.float32)) == Values()
    assert as_targets(None) is None and Labels() != Values()
    with pytest.raises(ValueError, match="one of labels, values.*Received: 'class'"):
        as_targets("class")
