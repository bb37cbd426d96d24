"""The classifier of one task, from plain arrays to a SavedModel."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import learners
from tfmeta.nets import conv4, mlp

DRAWS = np.random.default_rng(0)
# Three clusters far apart: any embedding that keeps inputs apart tells them apart.
CENTRES = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
X = np.repeat(CENTRES, 3, 0) + DRAWS.normal(0, 0.01, (9, 3))
NAMES = np.repeat(["wren", "owl", "tit"], 3)
ORDER = DRAWS.permutation(9)


def nearest() -> tfmeta.MetaModel:
    return tfmeta.MetaModel(learners.NearestNeighbour())


def proto() -> tfmeta.MetaModel:
    return tfmeta.MetaModel(learners.ProtoNet(mlp(units=(8,), input_shape=(3,))))


def images() -> tfmeta.MetaModel:
    net = conv4(way=3, filters=2, strided=True, input_shape=(4, 4, 1))
    return tfmeta.MetaModel(learners.MAML(net))


def test_it_answers_with_the_names_it_was_given():
    clf = nearest().adapt(X[ORDER], NAMES[ORDER])
    assert clf.classes.tolist() == ["owl", "tit", "wren"]
    assert clf.classify(CENTRES).tolist() == ["wren", "owl", "tit"]
    probabilities = clf.predict(CENTRES)
    assert probabilities.shape == (3, 3) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-6)
    assert probabilities.argmax(-1).tolist() == [2, 0, 1]
    assert clf.predict(CENTRES[:0]).shape == (0, 3)


def test_numbers_may_be_any():
    clf = nearest().adapt(X, np.repeat([40, -7, 1000], 3))
    assert clf.classify(CENTRES).tolist() == [40, -7, 1000]


def test_a_head_of_more_outputs_answers_for_the_classes_alone():
    net = mlp(outputs=7, units=(4,), input_shape=(3,))
    clf = tfmeta.MetaModel(learners.MAML(net)).adapt(X, NAMES)
    assert clf.predict(X).shape == (9, 3)
    np.testing.assert_allclose(clf.predict(X).sum(-1), 1, atol=1e-6)


def test_uint8_images_are_scaled():
    pixels = DRAWS.integers(0, 256, (6, 4, 4, 1)).astype(np.uint8)
    labels = [0, 1, 2, 0, 1, 2]
    model = images()
    from_pixels = model.adapt(pixels, labels).predict(pixels)
    from_floats = model.adapt(pixels / 255, labels).predict(pixels / 255)
    np.testing.assert_allclose(from_pixels, from_floats, atol=1e-5)


def test_evaluate_is_the_share_of_right_answers():
    clf = nearest().adapt(X, NAMES)
    truth = ["wren", "owl", "wren"]  # The last query is a tit.
    assert clf.evaluate(CENTRES, truth) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (CENTRES, ["wren", "owl", "rook"], r"not in the support set: \['rook'\]"),
        (CENTRES, ["wren"], r"3 queries and y of shape \(1,\)"),
        (CENTRES[:0], [], "0 queries"),
    ],
)
def test_evaluate_refuses(x, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        nearest().adapt(X, NAMES).evaluate(x, y)


@pytest.mark.parametrize(
    ("model", "x", "y", "sentence"),
    [
        (proto, X[:, :2], NAMES, r"support_x must have the shape \(examples, 3\)"),
        (proto, X[0], NAMES[:3], r"support_x must have the shape .*\(3,\)"),
        (images, np.zeros((2, 4, 4)), [0, 1], r"\(examples, 4, 4, 1\)"),
        (images, np.zeros((4, 4, 4, 1)), range(4), "at most 3 classes.*has 4"),
        (proto, X, NAMES[:8], r"shapes \(9, 3\) and \(8,\)"),
        (proto, X[:0], NAMES[:0], "at least one"),
        (proto, X * np.nan, NAMES, "support_x must be .* finite.*NaN"),
        (proto, X * 1e60, NAMES, "support_x must be .* finite.*infinite"),
        (proto, 3.0, NAMES, "support_x must be .*a single number"),
        (nearest, [[1.0], [1.0, 2.0]], [0, 1], "examples of one shape"),
        (nearest, [["a"], ["b"]], [0, 1], "an array of numbers"),
    ],
)
def test_a_support_set_that_does_not_fit_is_refused(model, x, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        model().adapt(x, y)


@pytest.mark.parametrize("model", [proto, nearest])
@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (X[:, :2], r"x must have the shape \(examples, 3\). Received: \(9, 2\)"),
        (X[0], r"x must have the shape \(examples, 3\). Received: \(3,\)"),
        (X * np.inf, "x must be .* finite"),
    ],
)
def test_queries_that_do_not_fit_are_refused(model, x, sentence):
    clf = model().adapt(X, NAMES)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=sentence):
        clf.predict(x)


@pytest.mark.parametrize("model", [proto, nearest])
def test_it_saves_itself(model, tmp_path):
    clf = model().adapt(X, NAMES)
    assert clf.save(tmp_path / "birds") == tmp_path / "birds" / "1"
    folder = clf.save(str(tmp_path / "birds"))
    assert folder == tmp_path / "birds" / "2"
    served = tf.saved_model.load(str(folder))
    answer = served.signatures["serving_default"](
        query_x=tf.constant(CENTRES, tf.float32)
    )
    wanted = clf.predict(CENTRES)
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
    names = [name.decode() for name in answer["names"].numpy()]
    assert names == clf.classify(CENTRES).tolist()


def test_a_transductive_classifier_saves_with_the_flag_alone(tmp_path):
    net = conv4(filters=2, strided=True, input_shape=(4, 4, 1))
    learner = learners.ProtoNet(net, normalisation="task")
    clf = tfmeta.MetaModel(learner).adapt(np.eye(4).reshape(1, 4, 4, 1), ["a"])
    with pytest.raises(ValueError, match="allow_transductive=True"):
        clf.save(tmp_path / "a")
    assert clf.save(tmp_path / "a", allow_transductive=True).name == "1"
