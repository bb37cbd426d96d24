"""Learners from the configs that versions of tfmeta have written."""

from __future__ import annotations

import copy
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import Examples, Options
from tfmeta.inner import Adam, GradientDescent, LearnedRates
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, FineTune, FromScratch, LinearProbe, ProtoNet, Reptile
from tfmeta.nets import fresh, mlp
from tfmeta.serving import save_checkpoint, stored_learner

DRAWS = np.random.default_rng(0)
SUPPORT = Examples(
    tf.constant(DRAWS.normal(size=(6, 3)), tf.float32), tf.constant([0, 1, 2, 2, 1, 0])
)
QUERIES = tf.constant(DRAWS.normal(size=(4, 3)), tf.float32)


def net(way: int | None = None) -> keras.Model:
    return fresh(mlp(outputs=way, units=(5,), input_shape=(3,)), seed=0)


def old(kind: str, net: keras.Model, rule: tuple[str, dict] | None, **config) -> dict:
    """A config as version 0.1.0 wrote it: a rule beside the rate it was made of."""

    def serialised(name: str, module: str, inner: dict) -> dict[str, Any]:
        policy = keras.saving.serialize_keras_object(keras.DTypePolicy("float32"))
        return {
            "module": f"tfmeta.{module}",
            "class_name": name,
            "config": {"name": "given", "trainable": True, "dtype": policy, **inner},
            "registered_name": f"tfmeta>{name}",
        }

    if rule is not None:
        shapes = [list(v.shape) for v in net.trainable_variables]
        made = serialised(rule[0], "inner", rule[1])
        config["rule"] = {**made, "build_config": {"input_shape": shapes}}
    net = keras.saving.serialize_keras_object(net)
    return serialised(kind, "learners", {"net": net, **config})


SGD = ("GradientDescent", {"learning_rate": 0.05})
ADAM = {"learning_rate": 0.02, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08}
# What was written, and the learner that is meant, its net aside.
CASES = {
    "fine_tune": (
        lambda: old(
            "FineTune",
            net(),
            SGD,
            normalisation="running",
            train_steps=7,
            learning_rate=0.05,
        ),
        lambda: FineTune(net(), eval_steps=7, rule=GradientDescent(learning_rate=0.05)),
    ),
    "linear_probe": (
        lambda: old(
            "LinearProbe",
            net(),
            ("Adam", ADAM),
            normalisation="running",
            train_steps=9,
            learning_rate=0.02,
        ),
        lambda: LinearProbe(net(), eval_steps=9, rule=Adam(learning_rate=0.02)),
    ),
    "from_scratch": (
        lambda: old(
            "FromScratch",
            net(3),
            SGD,
            normalisation="support",
            train_steps=4,
            learning_rate=0.05,
            draw=3,
        ),
        lambda: FromScratch(net(3), eval_steps=4, inner_lr=0.05, seed=3),
    ),
    "meta_sgd": (
        lambda: old(
            "MAML",
            net(3),
            ("LearnedRates", {"initial": 0.3}),
            normalisation="support",
            inner_steps=2,
            inner_lr=0.4,
            eval_steps=None,
            first_order=False,
            adapt_only=None,
            head="net",
        ),
        lambda: MAML(net(3), inner_steps=2, rule=LearnedRates(learning_rate=0.3)),
    ),
    "anil": (
        lambda: old(
            "MAML",
            net(3),
            ("GradientDescent", {"learning_rate": 0.4}),
            normalisation="support",
            inner_steps=1,
            inner_lr=0.4,
            eval_steps=5,
            first_order=True,
            adapt_only="head",
            head="net",
        ),
        lambda: MAML(net(3), eval_steps=5, first_order=True, adapt_only="head"),
    ),
    "reptile": (
        lambda: old(
            "Reptile",
            net(3),
            ("Adam", {**ADAM, "beta_1": 0.0}),
            normalisation="support",
            inner_steps=5,
            inner_lr=0.02,
            eval_steps=6,
            batch_size=10,
        ),
        lambda: Reptile(
            net(3), eval_steps=6, rule=Adam(learning_rate=0.02, beta_1=0.0)
        ),
    ),
    "protonet": (
        lambda: old(
            "ProtoNet",
            net(),
            None,
            normalisation="running",
            distance="cosine",
            scale=5.0,
        ),
        lambda: ProtoNet(net(), distance="cosine", scale=5.0),
    ),
}


def answers(learner) -> np.ndarray:
    adapted = learner.adapt(SUPPORT, Options())
    return learner.predict(adapted, QUERIES, Options()).numpy()


@pytest.mark.parametrize("name", CASES)
def test_a_learner_of_version_0_1_answers_as_it_did(name, tmp_path) -> None:
    write, make = CASES[name]
    config, meant = write(), make()
    before = copy.deepcopy(config)
    for variable in meant.variables:  # As after training.
        if "rate" not in variable.name:
            variable.assign(variable + DRAWS.normal(0, 0.1, variable.shape))
    save_checkpoint(tmp_path / "last.npz", {"learner": meant.variables}, {})
    read = stored_learner(config, tmp_path / "last.npz")
    assert type(read) is type(meant) and read.default_steps == meant.default_steps
    np.testing.assert_allclose(answers(read), answers(meant), rtol=1e-5, atol=1e-6)
    assert config == before  # It was read, and no more.
    today = keras.saving.serialize_keras_object(read)
    again = stored_learner(today, tmp_path / "last.npz")
    np.testing.assert_array_equal(answers(again), answers(read))


def test_a_learner_of_today_is_read(tmp_path) -> None:
    learner = MAML(net(3), inner_steps=2, targets="labels")
    config = keras.saving.serialize_keras_object(learner)
    save_checkpoint(tmp_path / "last.npz", {"learner": learner.variables}, {})
    read = stored_learner(config, tmp_path / "last.npz", normalisation="task")
    assert (read.normalisation, read.targets) == ("task", learner.targets)
    np.testing.assert_array_equal(answers(read), answers(learner))


def test_averages_that_were_not_kept_are_not_used(tmp_path) -> None:
    learner = ProtoNet(
        keras.Sequential([keras.Input((3,)), BatchNorm()]), normalisation="support"
    )
    config = keras.saving.serialize_keras_object(learner)
    save_checkpoint(tmp_path / "last.npz", {"learner": learner.variables}, {})
    with pytest.raises(ValueError, match="trained with normalisation='support'"):
        stored_learner(config, tmp_path / "last.npz", normalisation="running")


def test_weights_of_another_learner_are_refused(tmp_path) -> None:
    config = keras.saving.serialize_keras_object(MAML(net(3)))
    save_checkpoint(tmp_path / "last.npz", {"learner": net().variables[:1]}, {})
    with pytest.raises(ValueError, match="other learner variables"):
        stored_learner(config, tmp_path / "last.npz")
