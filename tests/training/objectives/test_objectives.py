"""What a net learns in pretraining, against NumPy and on data that show it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import evaluate
from tfmeta.data import examples, from_arrays
from tfmeta.learners import FineTune, LinearProbe, Supervised
from tfmeta.nets import conv4, fresh, mlp
from tfmeta.training import PretrainModel, pretrain
from tfmeta.training.objectives import Classify, Contrast, Reconstruct


def vectors():
    """Two dimensions out of ten tell four classes apart; the others are noise."""
    draws = np.random.default_rng(0)
    y = np.arange(400) % 4
    centres = np.array([[3, 3], [3, -3], [-3, 3], [-3, -3]], np.float32)
    plane = draws.normal(size=(2, 10)).astype("float32") / 2
    x = centres[y] @ plane + 0.1 * draws.normal(size=(400, 10)).astype("float32")
    return from_arrays(x.astype("float32"), y, disjoint="examples")


def net(seed: int = 0) -> keras.Model:
    return fresh(mlp(units=(2,), input_shape=(10,)), seed=seed)


def test_reconstruction_is_the_mean_squared_error_of_prepared_inputs() -> None:
    objective = Reconstruct(decoder_filters=2)
    model = PretrainModel(
        LinearProbe(net()), 4, objective=objective, prepare=keras.layers.Rescaling(0.5)
    )
    x = np.random.default_rng(0).normal(size=(6, 10)).astype("float32")
    z = model.learner.net(0.5 * x).numpy()
    (first, bias), (last, offset) = (
        [w.numpy() for w in layer.weights] for layer in objective.decoder.layers[:2]
    )
    drawn = np.maximum(z @ first + bias, 0) @ last + offset
    expected = np.mean((drawn - 0.5 * x) ** 2)
    loss = model.compute_loss(x, None, model(x))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_picture_of_any_size_is_drawn_again() -> None:
    body = conv4(filters=4, strided=True, input_shape=(18, 21, 3))
    model = PretrainModel(
        LinearProbe(body), 4, objective=Reconstruct(decoder_filters=3)
    )
    assert model(np.zeros((2, 18, 21, 3), np.uint8)).shape == (2, 18, 21, 3)


def test_contrast_is_the_cross_entropy_of_the_partner() -> None:
    objective = Contrast(temperature=0.25)
    z = np.random.default_rng(0).normal(size=(6, 5))
    unit = z / np.linalg.norm(z, axis=-1, keepdims=True)
    total = 0.0
    for i in range(6):
        partner = i + 3 if i < 3 else i - 3
        others = [np.exp(unit[i] @ unit[j] / 0.25) for j in range(6) if j != i]
        total -= np.log(np.exp(unit[i] @ unit[partner] / 0.25) / np.sum(others))
    loss = objective.loss(tf.constant(z), None, None)
    np.testing.assert_allclose(loss, total / 6, rtol=1e-6)


def test_an_autoencoder_finds_the_plane_that_the_data_lie_in() -> None:
    data, body = vectors(), net()
    first = np.var(data.train.x)
    history = pretrain(
        body,
        data.train,
        steps=400,
        objective=Reconstruct(),
        verbose=0,
        optimizer=keras.optimizers.Adam(0.01),
    )
    assert history.history["loss"][-1] < 0.7 * first
    assert "accuracy" not in history.history


def test_views_are_the_same_examples_augmented_otherwise() -> None:
    x = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 1), np.uint8)
    part = from_arrays(x, np.arange(40) % 4, disjoint="examples").train
    layer = keras.layers.RandomTranslation(0.2, 0.2)
    batches = examples(part, batch_size=5, augment=layer, views=2)
    images, labels = next(iter(batches))
    assert images.shape == (10, 16, 16, 1)
    np.testing.assert_array_equal(labels[:5], labels[5:])
    plain, same = next(iter(examples(part, batch_size=5)))
    np.testing.assert_array_equal(labels[:5], same)
    for view in (images[:5], images[5:]):
        assert not np.array_equal(view, plain)
    assert not np.array_equal(images[:5], images[5:])
    with pytest.raises(ValueError, match="must differ by an augmentation"):
        examples(part, batch_size=5, views=2)


def test_contrast_brings_views_of_an_example_together() -> None:
    x = np.zeros((80, 16, 16, 1), np.uint8)
    for i in range(80):
        x[i, 4 + i % 4 : 8 + i % 4, 3 : 5 + 2 * (i % 4)] = 255
    part = from_arrays(x, np.arange(80) % 4, disjoint="examples").train
    body = fresh(conv4(filters=4, input_shape=(16, 16, 1)), seed=0)
    history = pretrain(
        body,
        part,
        steps=60,
        batch_size=8,
        objective=Contrast(),
        verbose=0,
        augment=keras.layers.RandomTranslation(0.1, 0.1),
        optimizer="adam",
        callbacks=[],
    )
    assert history.history["loss"][-1] < np.log(15)  # What chance gives.


def test_nets_that_do_not_suit_are_refused() -> None:
    head = Supervised(mlp(outputs=4, input_shape=(10,)))
    for objective in (Reconstruct(), Contrast()):
        with pytest.raises(ValueError, match="whose net ends in a head"):
            PretrainModel(head, 4, objective=objective)
    words = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            keras.layers.Embedding(9, 4),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    with pytest.raises(ValueError, match="one tensor of floats"):
        PretrainModel(FineTune(words), 4, objective=Reconstruct())
    with pytest.raises(ValueError, match="filters must be at least 1"):
        Reconstruct(decoder_filters=0)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        Contrast(temperature=0)


def test_a_head_of_its_own_learns_all_classes() -> None:
    data = vectors()
    learner = Supervised(
        fresh(mlp(outputs=4, units=(16,), input_shape=(10,)), seed=0),
        classes=data.train.class_names,
    )
    model = PretrainModel(learner, 4)
    assert isinstance(model.objective, Classify)
    assert len(model.trained) == 4  # No classifier on top.
    pretrain(learner, data.train, steps=200, verbose=0)
    result = evaluate(learner, data.test)
    assert result.mean == 1.0
    assert repr(result) == "Result(accuracy 1.000 ± 0.000, 4 classes, 80 examples)"
