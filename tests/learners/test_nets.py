"""Nets of all kinds under the learners: what is refused, and what is learned."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfmeta import Episode, Examples, Options
from tfmeta.inner import Adam, GradientDescent
from tfmeta.learners import (
    MAML,
    FineTune,
    FromScratch,
    LinearProbe,
    MatchingNet,
    NearestNeighbour,
    ProtoNet,
    Reptile,
)

Y = tf.constant([0, 1, 0, 1])


def _maps() -> keras.Model:
    return keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(3, 3)], name="maps")


def _steps() -> keras.Model:
    first = layers.LSTM(4, return_sequences=True)
    return keras.Sequential([keras.Input((5, 2)), first, layers.Dense(3)], name="steps")


def _scalars() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(1)(inputs)[:, 0], name="scalars")


def _pair() -> keras.Model:
    inputs = keras.Input((3,))
    outputs = [layers.Dense(n)(inputs) for n in (2, 4)]
    return keras.Model(inputs, outputs, name="pair")


def _named() -> keras.Model:
    inputs = keras.Input((3,))
    outputs = {name: layers.Dense(2)(inputs) for name in ("mean", "scale")}
    return keras.Model(inputs, outputs, name="named")


NETS = {
    "maps": (
        _maps,
        r"gives outputs of shape \(None, 4, 4, 3\).*Add a pooling or Flatten layer",
    ),
    "steps": (
        _steps,
        r"gives outputs of shape \(None, 5, 3\).*Add a pooling or Flatten layer",
    ),
    "scalars": (_scalars, r"gives outputs of shape \(None,\).*Let it keep a last axis"),
    "pair": (
        _pair,
        r"gives outputs of shape \(None, 2\), \(None, 4\).*Let it give one output",
    ),
    "named": (
        _named,
        r"gives outputs of shape \(None, 2\), \(None, 2\).*Let it give one output",
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_learners_of_classes_need_a_vector_for_each_example(name: str) -> None:
    make, text = NETS[name]
    text = f"The net '{name}' {text}"
    net = make()
    for learner in (ProtoNet, MatchingNet, LinearProbe):
        with pytest.raises(ValueError, match=text):
            learner(net)
    for learner in (MAML, Reptile):
        with pytest.raises(ValueError, match=text):
            learner(net, targets="labels")
    with pytest.raises(ValueError, match=text):
        MAML(net, head="prototypes")


def test_the_last_moment_for_a_net_of_unknown_targets_is_its_first_task() -> None:
    support = Examples(tf.ones((4, 5, 2)), Y)
    with pytest.raises(ValueError, match='steps.*Flatten.*targets="values"'):
        MAML(_steps()).adapt(support, Options())


@pytest.mark.parametrize("name", ["steps", "scalars", "named"])
def test_values_may_have_any_shape(name: str) -> None:
    net = NETS[name][0]()
    x = tf.ones((4, *net.input_shape[1:]))
    z = net(x)
    y = tf.zeros_like(z["mean"] if name == "named" else z)
    learner = MAML(net, targets="values", inner_lr=0.1)
    adapted = learner.adapt(Examples(x, y), Options())
    answers = learner.predict(adapted, x, Options())
    if name == "named":
        z, answers = z["mean"], answers["mean"]
    assert answers.shape == y.shape
    assert np.sum(answers.numpy() ** 2) < np.sum(z.numpy() ** 2)


def test_all_that_is_wrong_with_a_net_is_in_one_error() -> None:
    middle = [layers.Conv2D(3, 3, activation="softsign"), layers.BatchNormalization()]
    net = keras.Sequential([keras.Input((6, 6, 1)), *middle, layers.Dropout(0.5)])
    with pytest.raises(
        ValueError,
        match=r"moving statistics.*random layers.*softsign.*stock normalisation.*"
        r"gives outputs of shape \(None, 4, 4, 3\).*adaptable.*another act.*Flatten",
    ):
        MAML(net, targets="labels")


WORDS = np.array([[1, 2], [3, 0], [1, 1], [0, 3]])


def _embedding() -> keras.Model:
    """Words to logits: the mean of their rows in a table of two columns."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((2,), dtype="int32"),
            layers.Embedding(4, 2, name="table"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, use_bias=False, trainable=False, name="head"),
        ]
    )


def _stepped(table: np.ndarray, head: np.ndarray, update) -> np.ndarray:
    """The table after one full-batch step on the cross-entropy, in NumPy."""
    table, head = table.astype("float64"), head.astype("float64")
    logits = table[WORDS].mean(1) @ head
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    error = (chances - np.eye(2)[Y.numpy()]) / len(WORDS) @ head.T / 2
    gradient = np.zeros_like(table)
    for words, row in zip(WORDS, error, strict=True):
        for word in words:
            gradient[word] += row
    return table - update(gradient)


def _plain(gradient: np.ndarray) -> np.ndarray:
    return 0.1 * gradient


def _adam(gradient: np.ndarray) -> np.ndarray:
    return 0.1 * gradient / np.sqrt(gradient**2 + 1e-6)


ADAM = Adam(learning_rate=0.1, epsilon=1e-3)
WITH_EMBEDDING = {
    "maml": (lambda net: MAML(net, inner_lr=0.1), _plain),
    "maml_adam": (lambda net: MAML(net, rule=ADAM), _adam),
    "reptile": (
        lambda net: Reptile(
            net, rule=GradientDescent, inner_lr=0.1, inner_steps=1, inner_batch=None
        ),
        _plain,
    ),
    "reptile_adam": (
        lambda net: Reptile(net, rule=ADAM, inner_steps=1, inner_batch=None),
        _adam,
    ),
    "fine_tune": (
        lambda net: FineTune(net, eval_steps=1, inner_lr=0.1),
        _plain,
    ),
}


@pytest.mark.parametrize("name", WITH_EMBEDDING)
def test_the_rows_of_an_embedding_adapt(name: str) -> None:
    make, update = WITH_EMBEDDING[name]
    learner = make(_embedding())
    table, head = learner.net.get_weights()
    support = Examples(tf.constant(WORDS, tf.int32), Y)
    options = Options(training=True) if "reptile" in name else Options()
    adapted = learner.adapt(support, options)["params"][0]
    np.testing.assert_allclose(adapted, _stepped(table, head, update), atol=1e-5)


@pytest.mark.parametrize("name", ["maml", "maml_adam", "reptile"])
def test_the_meta_gradient_of_an_embedding_is_right(name: str) -> None:
    """By central differences of the query loss, or as the displacement."""
    learner = WITH_EMBEDDING[name][0](_embedding())
    table, head = learner.net.get_weights()
    both = Examples(tf.constant(WORDS, tf.int32), Y)
    update = WITH_EMBEDDING[name][1]
    _, _, (gradient,) = learner.meta_gradients(
        Episode(both, both), Options(training=True)
    )

    def query_loss(start: np.ndarray) -> float:
        after = _stepped(start, head, update)
        logits = after[WORDS].mean(1) @ head
        right = logits[np.arange(4), Y.numpy()]
        return np.mean(np.log(np.exp(logits).sum(-1)) - right)

    expected = np.zeros(table.shape)
    if name == "reptile":
        expected = table - _stepped(table, head, update)
    else:
        for place in np.ndindex(table.shape):
            move = np.zeros(table.shape)
            move[place] = 1e-5
            ahead, behind = query_loss(table + move), query_loss(table - move)
            expected[place] = (ahead - behind) / 2e-5
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)


def test_a_net_with_an_embedding_is_trained_from_scratch() -> None:
    learner = FromScratch(_embedding(), eval_steps=1, inner_lr=0.1)
    assert [v.path.split("/")[-2] for v in learner.net.trainable_variables] == [
        "table",
        "head",
    ]
    support = Examples(tf.constant(WORDS, tf.int32), Y)
    table = learner.net.get_weights()[0]
    adapted = learner.adapt(support, Options())["params"]
    head = learner.net.get_weights()[1]
    np.testing.assert_allclose(adapted[0], _stepped(table, head, _plain), atol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "bool", "float32"])
def test_the_nearest_neighbour_measures_numbers_of_all_kinds(dtype: str) -> None:
    draws = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 200, (7, 9))
    examples, queries = draws[:4].astype(dtype), draws[4:].astype(dtype)
    learner = NearestNeighbour()
    labels = tf.constant([0, 1, 2, 0])
    adapted = learner.adapt(Examples(tf.constant(examples), labels), Options())
    logits = learner.predict(adapted, tf.constant(queries), Options())
    apart = (draws[4:, None].astype(float) - draws[:4].astype(float)) ** 2
    apart = apart.sum(-1)
    nearest = np.stack([apart[:, [0, 3]].min(-1), apart[:, 1], apart[:, 2]], -1)
    np.testing.assert_allclose(logits, -nearest, rtol=1e-4, atol=1e-2)
