"""TF-IDF weights, by hand and beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.prepare.tf_idf import TfIdf
from tfmeta.data.prepare.tokens import Tokens

TRAIN = ["the owl hoots at the owl", "the tit sings", "owl and tit", "a carp"]
ASKED = ["the carp sings the song of the carp", "an emu", "owl"]


def dense(made: dict, size: int) -> np.ndarray:
    found = np.zeros((len(made["ids"]), size))
    rows = np.arange(len(found))[:, None]
    np.add.at(found, (rows, made["ids"].numpy()), made["values"].numpy())
    return found


def learned(**options) -> TfIdf:
    layer = TfIdf(**{"vocabulary": 20, "length": 9, **options})
    layer.learn([TRAIN])
    return layer


def test_words_weigh_by_use_and_rarity() -> None:
    """carp 2 uses in 1 of 4 texts, sings 1 in 1, the 3 in 2; the others unknown."""
    layer = learned()
    made = layer(tf.constant(ASKED))
    rare, common = np.log(5 / 2) + 1, np.log(5 / 3) + 1
    words = layer.tokens.words
    wanted = np.zeros((3, 20))
    row = {"carp": (1 + np.log(2)) * rare, "sings": rare}
    row["the"] = (1 + np.log(3)) * common
    for word, weight in row.items():
        wanted[0, 2 + words.index(word)] = weight / np.linalg.norm([*row.values()])
    wanted[2, 2 + words.index("owl")] = 1
    np.testing.assert_allclose(dense(made, 20), wanted, atol=1e-6)
    assert made["ids"].shape == made["values"].shape == (3, 9)
    np.testing.assert_allclose(layer.tokens.idf[2 + words.index("carp")], rare)


def test_a_graph_and_no_text() -> None:
    layer = learned(length=4)
    spec = tf.TensorSpec([None], tf.string)
    graph = tf.function(layer).get_concrete_function(spec)
    for texts in (ASKED, []):
        found, wanted = (f(tf.constant(texts, tf.string)) for f in (graph, layer))
        for name in ("ids", "values"):
            np.testing.assert_array_equal(found[name], wanted[name])


def test_it_is_scikit_learns() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    options = {"token_pattern": r"(?u)\w+", "sublinear_tf": True}
    sklearn = text.TfidfVectorizer(**options).fit(TRAIN)
    layer = learned()
    places = [2 + layer.tokens.words.index(w) for w in sklearn.get_feature_names_out()]
    found = dense(layer(tf.constant(ASKED)), 20)[:, places]
    np.testing.assert_allclose(found, sklearn.transform(ASKED).toarray(), atol=1e-6)


def test_unknown_words_in_buckets_are_in_no_text() -> None:
    """scikit-learn's weights, where it is told all words and learns from TRAIN."""
    text = pytest.importorskip("sklearn.feature_extraction.text")
    options = {"token_pattern": r"(?u)\w+", "sublinear_tf": True}
    words = text.TfidfVectorizer(**options).fit([*TRAIN, *ASKED]).vocabulary_
    sklearn = text.TfidfVectorizer(vocabulary=words, **options).fit(TRAIN)
    layer = learned(vocabulary=2000, buckets=1900)
    places = layer.tokens(tf.constant(sorted(words, key=words.get))).numpy()[:, 0]
    assert len(set(places)) == len(words)
    found = dense(layer(tf.constant(ASKED)), 2000)[:, places]
    np.testing.assert_allclose(found, sklearn.transform(ASKED).toarray(), atol=1e-6)


def test_it_learns_as_tokens_do() -> None:
    layer, tokens = learned(), Tokens(vocabulary=20)
    assert layer.learned and not TfIdf(vocabulary=9, length=2).learned
    tokens.learn([TRAIN])
    assert layer.tokens.words == tokens.words
    again = TfIdf.from_config(layer.get_config())
    assert (again.vocabulary, again.length) == (20, 9)
