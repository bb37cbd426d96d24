"""A classifier of fixed classes, scored on every example of a part."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import MetaModel, Options, evaluate
from tfmeta.core.episode import NO_EXAMPLES
from tfmeta.data import from_arrays
from tfmeta.evaluation import calibration, compare
from tfmeta.learners import Supervised
from tfmeta.nets import conv4, mlp

NAMES = ("ape", "bee", "cow")


def linear(scale: float = 1.0) -> Supervised:
    """The class is the largest of three inputs."""
    net = mlp(outputs=3, units=(), input_shape=(3,))
    net.set_weights([scale * np.eye(3, dtype="float32"), np.zeros(3, "float32")])
    return Supervised(net, classes=NAMES)


def source(examples: int = 451):
    draws = np.random.default_rng(0)
    x = draws.normal(size=(examples, 3)).astype("float32")
    y = np.array(NAMES)[(x + draws.normal(size=x.shape)).argmax(-1)]
    return from_arrays(x, y, disjoint="examples")


def test_the_logits_are_the_nets() -> None:
    learner, x = linear(), tf.constant([[1.0, 3.0, 2.0]])
    adapted = learner.adapt(NO_EXAMPLES, Options())
    np.testing.assert_array_equal(learner.predict(adapted, x, Options()), x)
    assert learner.class_names == NAMES and learner.max_way == 3
    assert Supervised(learner.net).class_names == ("0", "1", "2")


def test_every_example_is_scored_once() -> None:
    part = source().test
    right = part.x.argmax(-1) == part.y
    result = evaluate(linear(), part)
    np.testing.assert_array_equal(result.scores, right.astype(np.float32))
    assert (result.way, result.shot, result.query, result.seed) == (3, 0, None, None)
    assert result.mean == pytest.approx(right.mean())
    error = right.std(ddof=1) / np.sqrt(len(right))
    assert result.ci95 == pytest.approx(1.96 * error, rel=0.02)
    assert result.summary()["episodes"] == len(part.y)


def test_pictures_are_prepared_and_batches_of_the_end_are_smaller() -> None:
    x = np.random.default_rng(0).integers(0, 255, (520, 16, 16, 1), np.uint8)
    part = from_arrays(
        x, np.arange(520) % 4, split=(0.1, 0.1, 0.8), disjoint="examples"
    ).test
    learner = Supervised(conv4(way=4, filters=2, input_shape=(16, 16, 1)))
    assert len(part.y) == 416
    logits = learner.net(part.x.astype("float32") / 255)
    expected = np.argmax(logits, -1) == part.y
    np.testing.assert_array_equal(evaluate(learner, part).scores, expected)


def test_two_of_them_are_compared_example_by_example() -> None:
    part = source().test
    comparison = compare(linear(), linear(-1.0), part)
    assert comparison.a.drawn == comparison.b.drawn
    difference = (part.x.argmax(-1) == part.y).mean() - (
        part.x.argmin(-1) == part.y
    ).mean()
    assert comparison.difference == pytest.approx(difference)


def test_it_is_calibrated_on_every_example() -> None:
    part = source().test
    found = calibration(linear(), part)
    probabilities = np.exp(part.x) / np.exp(part.x).sum(-1, keepdims=True)
    nll = -np.log(probabilities[np.arange(len(part.y)), part.y]).mean()
    assert found.nll == pytest.approx(nll, rel=1e-4)


def test_a_task_without_a_support_set(tmp_path) -> None:
    model = MetaModel(linear())
    classifier = model.adapt()
    x = np.float32([[0.1, 2.0, 0.3], [5.0, 0.0, 1.0]])
    assert classifier.classify(x).tolist() == ["bee", "ape"]
    for save in (classifier.save, lambda path: tfmeta.export.save(model, path)):
        folder = save(tmp_path / "out")
        served = tf.saved_model.load(str(folder)).signatures
        assert set(served) == {"predict", "serving_default"}
        answer = served["serving_default"](query_x=tf.constant(x))
        assert answer["names"].numpy().tolist() == [b"bee", b"ape"]
        expected = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
        np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-5)


def test_its_config_makes_it_again() -> None:
    again = Supervised.from_config(linear().get_config())
    assert again.class_names == NAMES and again.max_way == 3


def test_what_it_has_not_is_refused(tmp_path) -> None:
    learner, data = linear(), source()
    model, x = MetaModel(learner), data.test.x[:3]
    with pytest.raises(ValueError, match="does not adapt.*support set. Leave it out"):
        model.adapt(x, ["ape", "bee", "cow"])
    with pytest.raises(ValueError, match="learns no others"):
        model.adapt().add_class(x, "dog")
    with pytest.raises(ValueError, match="Leave out way, shot and episodes_file"):
        evaluate(learner, data.test, way=3, shot=1)
    with pytest.raises(ValueError, match="on_bad_input must be 'raise' for"):
        tfmeta.export.save(model, tmp_path / "a", on_bad_input="flag")
    apart = from_arrays(data.test.x, data.test.y, split=(0.4, 0.3, 0.3))
    with pytest.raises(ValueError, match="Set disjoint='examples'"):
        evaluate(learner, apart.test)
    with pytest.raises(ValueError, match="have values"):
        evaluate(learner, tfmeta.data.load("sinusoid").test)


def test_nets_that_do_not_fit_are_refused() -> None:
    net = mlp(outputs=3, input_shape=(3,))
    with pytest.raises(ValueError, match="3 outputs, and 2 classes"):
        Supervised(net, classes=["a", "b"])
    soft = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax")])
    with pytest.raises(ValueError, match="ends in softmax"):
        Supervised(soft)
