"""Texts go the whole way: fit, score, adapt, keep, export, serve."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import learners
from tfmeta.data import from_arrays
from tfmeta.data.prepare.tokens import Tokens
from tfmeta.training import RunFolder, Stream, Trainer

LENGTH = 6
BIRDS, FISH = "owl tit auk jay".split(), "carp pike eel cod".split()


@pytest.fixture(scope="module")
def source():
    """Classes that are told apart by a word; each is in one part."""
    words = [*BIRDS, *FISH]
    texts = [f"We saw the {w} {w} number {i}!" for w in words for i in range(6)]
    split = {"train": words[:4], "val": words[4:6], "test": words[6:]}
    prepare = Tokens(vocabulary=24, length=LENGTH)
    return from_arrays(texts, np.repeat(words, 6), split=split, prepare=prepare)


@pytest.fixture(scope="module")
def model(source):
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Embedding(24, 8)(inputs)
    net = tfmeta.nets.fresh(
        keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(x)), seed=1
    )
    made = tfmeta.MetaModel(learners.ProtoNet(net), prepare=source.prepare)
    made.compile(keras.optimizers.Adam(0.05))
    return made


SUPPORT, NAMES = ["An owl hoots.", "the JAY", "Owl! owl"], ["owl", "jay", "owl"]
QUERIES = ["jay, jay", "a blue thing", "owl owl owl"]


def test_fit_and_scores(source, model):
    options = {"way": 2, "shot": 1, "query": 2, "tasks": 8}
    drawn = tfmeta.data.episodes(source.train, **options, seed=3)
    before = tfmeta.evaluate(model, source.train, way=2, shot=1, query=2, episodes=40)
    model.fit(drawn, steps_per_epoch=30, epochs=1, verbose=0)
    after = tfmeta.evaluate(model, source.train, way=2, shot=1, query=2, episodes=40)
    assert after.mean >= before.mean and after.mean > 0.95
    x, _ = next(iter(drawn))
    assert model.predict(drawn, steps=1, verbose=0).shape == (8, 4, 2)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), model(x), rtol=1e-5, atol=1e-6
    )
    assert 0 <= model.evaluate(drawn, steps=1, verbose=0)[1] <= 1


@pytest.mark.parametrize("kind", [list, np.array, lambda x: np.array(x, object)])
def test_plain_texts_are_adapted_to(model, kind):
    task = model.adapt(kind(SUPPORT), NAMES)
    assert task.classify(kind(QUERIES))[[0, 2]].tolist() == ["jay", "owl"]
    assert task.evaluate(kind(QUERIES[::2]), ["jay", "owl"]) == 1.0
    ids = model.prepare(tf.constant(QUERIES)).numpy()
    z = model.learner.net(ids, training=False).numpy()
    s = model.learner.net(model.prepare(tf.constant(SUPPORT)), training=False).numpy()
    means = np.stack([s[1], (s[0] + s[2]) / 2])
    logits = -np.sum((z[:, None] - means) ** 2, -1)
    wanted = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(task.predict(kind(QUERIES)), wanted, atol=1e-5)


def test_unknown_words_are_answered_and_classes_added(model):
    task = model.adapt(SUPPORT, NAMES)
    assert task.predict(["zzz qqq", "?!"]).shape == (2, 2)
    task.add_class(["the tit", "tit"], "tit")
    assert task.classify(["one tit"]).tolist() == ["tit"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["owl", " "], "x must hold no empty text.*example number 1"),
        (["owl", None], "x must hold texts alone. Received: None as example number 1"),
        ("owl", "x must be an array .*Received: str"),
        ([1.0, 2.0], "The preparation Tokens cannot take x"),
    ],
)
def test_what_is_no_text_is_refused(model, texts, message):
    task = model.adapt(SUPPORT, NAMES)
    with pytest.raises(ValueError, match=message):
        task.predict(texts)


def test_a_keras_file_keeps_the_words(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.prepare.layer.words == model.prepare.layer.words
    wanted = model.adapt(SUPPORT, NAMES).predict(QUERIES)
    found = again.adapt(SUPPORT, NAMES).predict(QUERIES)
    np.testing.assert_array_equal(found, wanted)


ALONE = """
import json, sys
for name in ("tfmeta", "keras"):
    sys.modules[name] = None
import tensorflow as tf
folder, request = sys.argv[1], json.loads(sys.argv[2])
ask = tf.saved_model.load(folder).signatures["serving_default"]
answer = ask(**{name: tf.constant(value) for name, value in request.items()})
print(json.dumps(answer["probabilities"].numpy().tolist()))
"""


def test_a_saved_model_takes_strings(model, tmp_path):
    folder = tfmeta.export.save(model, tmp_path / "texts", names=True)
    request = {"support_text": SUPPORT, "support_y": [1, 0, 1], "query_text": QUERIES}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder), json.dumps(request)],
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = model.adapt(SUPPORT, NAMES).predict(QUERIES)
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    ask = tf.saved_model.load(str(folder)).signatures["adapt_and_predict_names"]
    sent = {
        "support_text": tf.constant(SUPPORT),
        "support_names": tf.constant(NAMES),
        "query_text": tf.constant(QUERIES),
    }
    assert ask(**sent)["names"].numpy()[[0, 2]].tolist() == [b"jay", b"owl"]
    none = ask(**{**sent, "query_text": tf.constant([], tf.string)})
    assert none["probabilities"].shape == (0, 2)
    for name, place in (("support_text", 1), ("query_text", 2)):
        texts = sent[name].numpy()
        texts[place] = b" "
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"{name} has an empty text.*{place}"
        ):
            ask(**{**sent, name: tf.constant(texts)})
    said = (folder / "README.md").read_text(encoding="utf-8")
    assert "the graph prepares them by Tokens." in said


def test_a_classifier_takes_strings(model, tmp_path):
    task = model.adapt(SUPPORT, NAMES)
    folder = task.save(tmp_path / "birds")
    ask = tf.saved_model.load(str(folder)).signatures["predict"]
    answer = ask(query_text=tf.constant(QUERIES))
    np.testing.assert_allclose(
        answer["probabilities"], task.predict(QUERIES), atol=1e-5
    )


def test_a_run_keeps_the_words(source, model, tmp_path):
    run = RunFolder(tmp_path / "run")
    sizes = {"way": 2, "shot": 1, "query": 2}
    stream = Stream(**sizes, tasks=4)
    Trainer(model, source, run, train=stream, validation=stream, steps=2).run()
    again = run.load_model("last")
    assert again.prepare.layer.words == source.prepare.layer.words
    np.testing.assert_allclose(
        again.adapt(SUPPORT, NAMES).predict(QUERIES),
        model.adapt(SUPPORT, NAMES).predict(QUERIES),
        atol=1e-6,
    )
