"""Nets of all kinds under the learners: what is refused, and what is learned."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfmeta import Examples, Options
from tfmeta.learners import MAML, LinearProbe, MatchingNet, ProtoNet, Reptile

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
    "maps": (_maps, r"gives \(None, 4, 4, 3\).*Add a pooling or Flatten layer"),
    "steps": (_steps, r"gives \(None, 5, 3\).*Add a pooling or Flatten layer"),
    "scalars": (_scalars, r"gives \(None,\).*Let it keep a last axis"),
    "pair": (_pair, r"gives \(None, 2\), \(None, 4\).*Let it give one output"),
    "named": (_named, r"gives \(None, 2\), \(None, 2\).*Let it give one output"),
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
        r"gives \(None, 4, 4, 3\).*adaptable.*another act.*Flatten",
    ):
        MAML(net, targets="labels")
