"""Token ids and other whole numbers reach the net as they are."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import MetaModel
from tfmeta.core import Examples, Options
from tfmeta.data import Split, episodes
from tfmeta.learners import NearestNeighbour, ProtoNet
from tfmeta.nets import fresh, mlp
from tfmeta.training import pretrain

WORDS, CLASSES, EACH = 6, 10, 8
EPISODES = {"way": 5, "shot": 1, "query": 4}


def tokens(dtype: str = "uint8") -> Split:
    """Examples whose words are of the 25 that only their class uses."""
    y = np.repeat(np.arange(CLASSES), EACH)
    words = np.random.default_rng(0).integers(0, 25, (len(y), WORDS))
    names = tuple(f"topic{c}" for c in range(CLASSES))
    return Split("test", (25 * y[:, None] + words).astype(dtype), y, names)


def reader(dtype: str = "int32", words: int = 256) -> keras.Model:
    """A net that takes token ids: words of one class have similar embeddings."""
    draws = np.random.default_rng(0)
    table = np.repeat(draws.normal(size=(words // 25 + 1, 8)), 25, axis=0)[:words]
    net = keras.Sequential(
        [
            keras.Input((WORDS,), dtype=dtype),
            keras.layers.Embedding(words, 8),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    net.set_weights([table])
    return net


def counter() -> keras.Model:
    """A net that takes floats."""
    return fresh(mlp(units=(6,), input_shape=(WORDS,)), seed=0)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32"])
def test_token_ids_of_any_dtype_are_read(dtype: str) -> None:
    learner = ProtoNet(reader())
    found = tfmeta.evaluate(learner, tokens(dtype), **EPISODES, episodes=20)
    assert found.mean == 1.0
    data = tokens(dtype)
    task = MetaModel(learner).adapt(data.x[::4], data.y[::4])
    assert task.evaluate(data.x, data.y) == 1.0
    # Support set and queries may differ in dtype.
    assert task.evaluate(tokens("uint8").x, data.y) == 1.0


def trained(net: keras.Model, data: Split) -> list[np.ndarray]:
    """What a few steps of training make of a net's weights."""
    model = MetaModel(ProtoNet(net), task_map="loop")
    model.compile(keras.optimizers.SGD(0.1))
    stream = episodes(data, **EPISODES, tasks=2)
    model.fit(stream, steps_per_epoch=2, verbose=0)
    score = model.evaluate(episodes(data, **EPISODES, tasks=2, count=4), verbose=0)
    return [*net.get_weights(), np.array(score)]


def pretrained(net: keras.Model, data: Split) -> list[np.ndarray]:
    pretrain(net, data, steps=2, batch_size=8, verbose=0)
    return net.get_weights()


@pytest.mark.parametrize("learned", [trained, pretrained])
@pytest.mark.parametrize("make", [reader, counter])
def test_training_on_uint8_is_training_on_the_same_numbers(
    make: Callable[[], keras.Model], learned: Callable
) -> None:
    exact = "int32" if make is reader else "float32"
    expected = learned(make(), tokens(exact))
    assert np.any(expected[0] != make().get_weights()[0])
    for a, b in zip(learned(make(), tokens()), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64"])
@pytest.mark.parametrize(
    "make", [lambda: ProtoNet(counter()), NearestNeighbour], ids=["net", "no net"]
)
def test_rows_of_whole_numbers_are_floats_to_a_net_of_floats(make, dtype) -> None:
    whole = tokens(dtype)
    floats = Split("test", whole.x.astype("float32"), whole.y, whole.class_names)
    learner = make()
    scores = [
        tfmeta.evaluate(learner, part, **EPISODES, episodes=20).scores
        for part in (whole, floats)
    ]
    np.testing.assert_array_equal(*scores)
    tasks = [
        MetaModel(learner).adapt(part.x[::4], part.y[::4]) for part in (whole, floats)
    ]
    for asked in (whole.x, floats.x):
        answers = [task.predict(asked) for task in tasks]
        np.testing.assert_array_equal(*answers)


def test_an_exported_reader_answers_as_the_learner(tmp_path) -> None:
    data, learner = tokens(), ProtoNet(reader())
    served = tf.saved_model.load(str(tfmeta.export.save(learner, tmp_path / "reader")))
    answer = served.signatures["serving_default"](
        support_x=tf.constant(data.x[::4], tf.int32),
        support_y=tf.constant(data.y[::4], tf.int32),
        query_x=tf.constant(data.x, tf.int32),
    )
    np.testing.assert_array_equal(answer["labels"], data.y)


def test_ids_that_the_net_takes_exactly_are_told_apart() -> None:
    """Neighbours above 2^24, which are one number in float32."""
    inputs = keras.Input((1,), dtype="int64")
    outputs = keras.layers.CategoryEncoding(4, "one_hot")(inputs - 2**24)
    net = keras.Model(inputs, outputs)
    x = np.repeat(2**24 + np.arange(4), 2)[:, None]
    part = Split("test", x, np.repeat(np.arange(4), 2), tuple("abcd"))
    found = tfmeta.evaluate(ProtoNet(net), part, way=4, shot=1, query=1, episodes=3)
    assert found.mean == 1.0
    task = MetaModel(ProtoNet(net)).adapt(x, part.y)
    assert task.evaluate(x, part.y) == 1.0


@pytest.mark.parametrize(
    ("x", "net", "sentence"),
    [
        (2**24 + tokens("int64").x, counter, "16777216, .* takes float32"),
        (2**31 + tokens("int64").x, reader, "2147483647, .* takes int32"),
        (tokens().x / np.float32(255), reader, "whole numbers, .* takes int32"),
    ],
)
def test_numbers_that_the_net_would_change_are_refused(x, net, sentence) -> None:
    part = Split("test", x, tokens().y, tokens().class_names)
    model = MetaModel(ProtoNet(net()))
    model.compile()
    stream = episodes(part, **EPISODES)
    for name, use in {
        "x must": lambda: pretrain(net(), part, steps=1, verbose=0),
        "support_x": lambda: model.fit(stream, steps_per_epoch=1, verbose=0),
        "support_x ": lambda: tfmeta.evaluate(model, part, **EPISODES, episodes=1),
        "support_x m": lambda: model.adapt(x, part.y),
        "x must ": lambda: model.adapt(tokens().x, part.y).predict(x),
    }.items():
        with pytest.raises(ValueError, match=f"^{name}.*{sentence}"):
            use()


def test_pictures_stay_whole_numbers_where_the_net_takes_these() -> None:
    x = np.random.default_rng(0).integers(0, 256, (80, 4, 4, 1)).astype(np.uint8)
    part = Split("test", x, tokens().y, tokens().class_names)
    inputs = keras.Input((4, 4, 1), dtype="int32")
    flat = keras.layers.Flatten()(keras.layers.Embedding(256, 2)(inputs))
    model = MetaModel(ProtoNet(keras.Model(inputs, flat)))
    model.compile()
    # As int32 they are no pictures.
    whole = Split("test", x.astype("int32"), part.y, part.class_names)
    scores = [tfmeta.evaluate(model, p, **EPISODES, episodes=9) for p in (part, whole)]
    np.testing.assert_array_equal(scores[0].scores, scores[1].scores)
    bare = tfmeta.evaluate(model.learner, part, **EPISODES, episodes=9)
    np.testing.assert_array_equal(bare.scores, scores[0].scores)
    model.fit(episodes(part, **EPISODES), steps_per_epoch=1, verbose=0)
    answers = [
        model.adapt(support[:10], part.y[:10]).predict(asked)
        for support, asked in ((x, x), (whole.x, x), (x, whole.x))
    ]
    for other in answers[1:]:
        np.testing.assert_array_equal(other, answers[0])


def test_nan_is_no_whole_number() -> None:
    x = np.where(np.arange(WORDS) == 2, np.nan, tokens().x)
    with pytest.raises(ValueError, match="support_x must be an array of finite num"):
        MetaModel(ProtoNet(reader())).adapt(x, tokens().y)


def test_weights_of_classes_are_refused_in_pretraining() -> None:
    with pytest.raises(ValueError, match="All examples have the same weight"):
        weights = dict.fromkeys(range(CLASSES), 1.0)
        pretrain(counter(), tokens(), steps=1, verbose=0, class_weight=weights)


def mixed() -> dict[str, np.ndarray]:
    draws = np.random.default_rng(0)
    return {
        "image": draws.integers(0, 256, (80, 4, 4, 1)).astype(np.uint8),
        "share": draws.uniform(size=(80, 2)).astype(np.float32),
        "counts": tokens().x,
    }


def test_each_input_of_a_net_gets_what_it_takes() -> None:
    inputs = {
        "image": keras.Input((4, 4, 1), name="image"),
        "share": keras.Input((2,), name="share"),
        "counts": keras.Input((WORDS,), dtype="int32", name="counts"),
    }
    read = keras.layers.Flatten()(keras.layers.Embedding(256, 2)(inputs["counts"]))
    flat = keras.layers.Flatten()(inputs["image"])
    net = keras.Model(inputs, keras.layers.Concatenate()([flat, inputs["share"], read]))
    x, y = mixed(), tokens().y
    task = MetaModel(ProtoNet(net)).adapt(x, y)
    got = task.read("x", x)
    np.testing.assert_allclose(got["image"], x["image"] / 255, rtol=1e-6)
    np.testing.assert_array_equal(got["counts"], x["counts"])
    assert {leaf.dtype.name for leaf in got.values()} == {"float32", "int32"}
    # Scores of episodes are of the same numbers.
    scaled = {**x, "image": (x["image"] / np.float32(255)).astype(np.float32)}
    scores = [
        tfmeta.evaluate(
            ProtoNet(net),
            Split("test", each, y, tuple("abcdefghij")),
            **EPISODES,
            episodes=20,
        ).scores
        for each in (x, scaled)
    ]
    np.testing.assert_array_equal(*scores)


def test_the_nearest_neighbour_reads_whole_numbers_and_floats_together() -> None:
    x = {name: tf.constant(mixed()[name]) for name in ("counts", "share")}
    floats = {name: tf.cast(leaf, tf.float32) for name, leaf in x.items()}
    found = [
        NearestNeighbour().adapt(Examples(each, tf.zeros(80, tf.int32)), Options())
        for each in (x, floats)
    ]
    np.testing.assert_array_equal(found[0]["examples"], found[1]["examples"])
