"""Temperatures, rejection, and the facts that a saved model tells of itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.nets import fresh, mlp

DRAWS = np.random.default_rng(0)
X = DRAWS.random((4, 3)).astype(np.float32)
QUERY = DRAWS.random((6, 3)).astype(np.float32)
NAMES = ["owl", "auk", "owl", "tit"]


def learner() -> learners.ProtoNet:
    return learners.ProtoNet(fresh(mlp(units=(5,), input_shape=(3,)), seed=0))


def softened(temperature: float) -> np.ndarray:
    """Python's probabilities, whose logarithms are logits, at a temperature."""
    shares = tfmeta.MetaModel(learner()).adapt(X, NAMES).predict(QUERY)
    powers = shares.astype(np.float64) ** (1 / temperature)
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """The answers of a learner's export and of an adapted task's, at temperature 3."""
    folder = tmp_path_factory.mktemp("answers")
    threshold = float(np.median(softened(3.0).max(-1)))
    options = {"temperature": 3.0, "reject_below": threshold}
    whole = export.save(learner(), folder / "whole", names=True, **options)
    task = tfmeta.MetaModel(learner()).adapt(X, NAMES)
    adapted = task.save(folder / "adapted", **options)
    support = {"support_x": tf.constant(X), "support_names": tf.constant(NAMES)}
    query = {"query_x": tf.constant(QUERY)}
    ask = tf.saved_model.load(str(whole)).signatures["adapt_and_predict_names"]
    told = json.loads((whole / "export.json").read_text())
    text = (whole / "README.md").read_text(encoding="utf-8")
    found = {"whole": ask(**support, **query), "facts": told, "readme": text}
    ask = tf.saved_model.load(str(adapted)).signatures["predict"]
    return {**found, "adapted": ask(**query), "threshold": threshold}


@pytest.mark.parametrize("which", ["whole", "adapted"])
def test_logits_are_divided_and_unsure_answers_rejected(which, answers) -> None:
    wanted, threshold = softened(3.0), answers["threshold"]
    answer = answers[which]
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
    sure = wanted.max(-1) >= threshold
    assert 0 < sure.sum() < len(sure)
    labels = np.where(sure, wanted.argmax(-1), -1)
    np.testing.assert_array_equal(answer["labels"], labels)
    told = [[b"auk", b"owl", b"tit", b""][i] for i in labels]
    assert answer["names"].numpy().tolist() == told


def test_the_facts_are_told(answers) -> None:
    told = answers["facts"]
    assert (told["learner"], told["temperature"], told["targets"]) == (
        "ProtoNet",
        3.0,
        "labels",
    )
    assert "adapt_and_predict_names" in told["signatures"]
    assert "* Logits are divided by 3." in answers["readme"]
    assert "| input | all that `adapt_names` gives | | |" in answers["readme"]


BAD = [
    ({"temperature": 0.0}, "temperature must be a finite number above 0"),
    ({"temperature": -1.0}, "temperature must be a finite number above 0"),
    ({"temperature": float("nan")}, "temperature must be a finite number above 0"),
    ({"reject_below": 1.5}, "reject_below must be a probability"),
]


@pytest.mark.parametrize(("options", "sentence"), BAD)
def test_bad_numbers_are_refused(options, sentence, tmp_path) -> None:
    with pytest.raises(ValueError, match=sentence):
        export.save(learner(), tmp_path / "a", **options)
    with pytest.raises(ValueError, match=sentence):
        tfmeta.MetaModel(learner()).adapt(X, NAMES).save(tmp_path / "a", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["temperature", "reject_below"])
def test_values_have_no_probabilities(name, tmp_path) -> None:
    net = mlp(outputs=2, units=(5,), input_shape=(3,))
    values = learners.MAML(net, targets="values")
    with pytest.raises(ValueError, match=f"{name} is for the probabilities of class"):
        export.save(values, tmp_path / "a", **{name: 0.5})
    assert not list(tmp_path.iterdir())
