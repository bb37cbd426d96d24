"""The baselines of texts: by hand, on the same episodes as a learner."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import learners, nets
from tfmeta.core import Examples, Options
from tfmeta.data import from_arrays
from tfmeta.evaluation import baselines, compare, evaluate
from tfmeta.evaluation.texts.baselines import text_baselines
from tfmeta.evaluation.texts.tf_idf_logistic import TfIdfLogistic, is_there
from tfmeta.evaluation.texts.tf_idf_means import TfIdfMeans

WORDS = "owl tit auk jay carp pike eel cod".split()
SPLIT = {"train": WORDS[:4], "val": WORDS[4:6], "test": WORDS[6:]}


def source(seed: int = 0, test_words: str = ""):
    """Texts of three common words and, in three of four, of their class's own word.

    Each own word is in a text of meta-train too, so that it is known.
    """
    draws = np.random.default_rng(seed)
    texts, labels = [], []
    for word in WORDS:
        for i in range(12):
            common = draws.choice(["we", "saw", "a", "big", "one"], 3)
            extra = [word] if i % 4 else []
            extra += [test_words] if word in SPLIT["test"] else []
            extra += [WORDS[i % 8]] if word in SPLIT["train"] and i > 8 else []
            texts.append(" ".join([*common, *extra]))
            labels.append(word)
    texts[0] += " " + " ".join(WORDS)
    return from_arrays(texts, labels, split=SPLIT)


def given(table) -> dict:
    """Rows of weights of words 2, 3, ... as `TfIdf` makes them."""
    table = np.asarray(table, np.float32)
    ids = np.tile(np.arange(2, 2 + table.shape[1], dtype=np.int32), (len(table), 1))
    return {"ids": tf.constant(ids), "values": tf.constant(table)}


SUPPORT = [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]
Y = [0, 0, 2]
QUERIES = [[0.0, 1.0, 0.0], [0.0, 0.6, 0.8]]


def test_means_are_compared_by_the_cosine() -> None:
    """The mean of class 0 is (0.8, 0.4, 0), of length sqrt(0.8)."""
    learner = TfIdfMeans(vocabulary=6)
    options = Options()
    adapted = learner.adapt(Examples(given(SUPPORT), tf.constant(Y)), options)
    logits = learner.predict(adapted, given(QUERIES), options).numpy()
    length = np.sqrt(0.8**2 + 0.4**2)
    wanted = [[0.4 / length, -np.inf, 0.0], [0.24 / length, -np.inf, 0.8]]
    np.testing.assert_allclose(logits, wanted, atol=1e-6)


@pytest.mark.parametrize("labels", [[0, 0, 2], [1, 0, 2], [1, 1, 1]])
def test_logistic_regression_is_scikit_learns(labels) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    learner, options = TfIdfLogistic(vocabulary=6), Options()
    graph = tf.function(
        lambda x, y, q: learner.predict(
            learner.adapt(Examples(x, y), options), q, options
        )
    )
    logits = graph(given(SUPPORT), tf.constant(labels), given(QUERIES))
    found = tf.nn.softmax(logits).numpy()
    present = np.unique(labels)
    if len(present) == 1:
        wanted = np.ones((2, 1))
    else:
        model = linear.LogisticRegression(max_iter=1000).fit(SUPPORT, labels)
        wanted = model.predict_proba(QUERIES)
    np.testing.assert_allclose(found[:, present], wanted, atol=1e-5)


def test_without_scikit_learn(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="Install the extra .text."):
        TfIdfLogistic(vocabulary=6)
    (only,) = text_baselines(source().train)
    assert type(only.learner) is TfIdfMeans


def test_they_take_the_place_of_raw_inputs() -> None:
    data = source()
    net = nets.text_encoder(width=8, **data.prepare.net_arguments)
    model = tfmeta.MetaModel(learners.ProtoNet(net), prepare=data.prepare)
    found = baselines(model, train=data.train)
    names = [type(learners.as_learner(each)).__name__ for each in found]
    logistic = ["TfIdfLogistic"] * is_there()
    assert names == ["TfIdfMeans", *logistic, "FromScratch"]
    assert type(baselines(model)[0]) is learners.NearestNeighbour
    size = {"way": 2, "shot": 1, "query": 5, "episodes": 30}
    scores = [evaluate(each, data.test, **size) for each in [model, *found]]
    assert len({score.drawn for score in scores}) == 1
    assert scores[1].mean > 0.6 and scores[1].learner == "TfIdfMeans"
    assert np.isfinite(compare(scores[0], scores[1]).ci95)


def test_words_are_those_of_meta_train_alone() -> None:
    """Other test texts change neither vocabulary nor document frequencies."""
    one, other = (
        text_baselines(source(test_words=words).train)[0].prepare.layer.tokens
        for words in ("", "emu emu we")
    )
    assert one.words == other.words and "emu" not in one.words
    np.testing.assert_array_equal(one.idf, other.idf)
