"""Which support examples decided an answer, against plain NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tfmeta
from tfmeta import learners
from tfmeta.nets import conv4, fresh, mlp

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(7, 3)).astype("float32")
NAMES = ["owl", "wren", "owl", "tit", "wren", "owl", "tit"]
LABELS = np.array([0, 2, 0, 1, 2, 0, 1])
QUERIES = DRAWS.normal(size=(4, 3)).astype("float32")


def embedding() -> keras.Model:
    return fresh(mlp(units=(5,), input_shape=(3,)), seed=0)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = [np.linalg.norm(each, axis=-1, keepdims=True) for each in (a, b)]
    return (a / lengths[0]) @ (b / lengths[1]).T


def divided(
    closeness: np.ndarray, probabilities: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Each class's probability, shared out by the softmax within the class."""
    shares = np.zeros_like(closeness)
    for label in np.unique(labels):
        own = labels == label
        shares[:, own] = probabilities[:, [label]] * softmax(closeness[:, own])
    return shares


def test_matching_nets_tell_their_attention() -> None:
    net = embedding()
    clf = tfmeta.MetaModel(learners.MatchingNet(net, scale=4.0)).adapt(X, NAMES)
    attention = softmax(4 * cosine(net(QUERIES).numpy(), net(X).numpy()))
    np.testing.assert_allclose(clf.explain(QUERIES), attention, rtol=1e-4)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_a_prototypes_probability_is_divided(distance: str) -> None:
    net = embedding()
    learner = learners.ProtoNet(net, distance=distance, scale=4.0)
    clf = tfmeta.MetaModel(learner).adapt(X, NAMES)
    z, others = net(QUERIES).numpy(), net(X).numpy()
    means = np.stack([others[label == LABELS].mean(0) for label in range(3)])
    if distance == "euclidean":
        closeness, logits = -squared(z, others), -squared(z, means)
    else:
        closeness, logits = 4 * cosine(z, others), 4 * cosine(z, means)
    expected = divided(closeness, softmax(logits), LABELS)
    found = clf.explain(QUERIES)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert found.dtype == np.float32


def test_neighbours_are_shared_out_and_added_ones_too() -> None:
    clf = tfmeta.MetaModel(learners.NearestNeighbour()).adapt(X, NAMES)
    clf.add_class(X[:2] + 3, "jay")
    x, labels = np.concatenate([X, X[:2] + 3]), np.append(LABELS, [3, 3])
    expected = divided(-squared(QUERIES, x), clf.predict(QUERIES), labels)
    np.testing.assert_allclose(clf.explain(QUERIES), expected, rtol=1e-4, atol=1e-9)


def test_many_examples_are_looked_at_some_at_a_time() -> None:
    x = DRAWS.normal(size=(300, 3)).astype("float32")
    names = np.arange(300) % 3
    clf = tfmeta.MetaModel(learners.ProtoNet(embedding())).adapt(x, names)
    found = clf.explain(x[:200])
    assert found.shape == (200, 300)
    by_class = np.stack([found[:, names == label].sum(-1) for label in range(3)], 1)
    np.testing.assert_allclose(by_class, clf.predict(x[:200]), rtol=1e-4, atol=1e-6)
    assert clf.explain(x[:0]).shape == (0, 300)


@pytest.mark.parametrize("mode", ["running", "support", "task"])
def test_no_queries_have_no_shares(mode: str) -> None:
    net = fresh(conv4(filters=4, strided=True, input_shape=(8, 8, 1)), seed=0)
    learner = learners.ProtoNet(net, normalisation=mode)
    x = DRAWS.random((7, 8, 8, 1)).astype("float32")
    clf = tfmeta.MetaModel(learner).adapt(x, NAMES)
    assert clf.explain(x[:0]).shape == (0, 7)
    assert clf.explain(x[:3]).shape == (3, 7)


def test_shares_that_are_no_numbers_are_refused() -> None:
    net = embedding()
    clf = tfmeta.MetaModel(learners.ProtoNet(net)).adapt(X, NAMES)
    clf.adapted["prototypes"] *= np.nan
    with pytest.raises(ValueError, match="holds a NaN or an infinite"):
        clf.explain(QUERIES)


def test_others_cannot_tell() -> None:
    head = fresh(mlp(outputs=3, units=(4,), input_shape=(3,)), seed=0)
    clf = tfmeta.MetaModel(learners.MAML(head)).adapt(X, NAMES)
    with pytest.raises(ValueError, match="MAML does not compare queries with single"):
        clf.explain(QUERIES)
    whole = learners.Supervised(head, classes=["owl", "tit", "wren"])
    with pytest.raises(ValueError, match="Supervised has no support set, so no"):
        tfmeta.MetaModel(whole).adapt().explain(QUERIES)
