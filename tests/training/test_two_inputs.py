"""A net of two named inputs, from arrays to a served answer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.data import episodes, from_arrays
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, NearestNeighbour, ProtoNet

DRAWS = np.random.default_rng(0)
CLASSES, MEMBERS = 12, 8
Y = np.repeat(np.arange(CLASSES), MEMBERS)
# A class is known by both parts together: three values of the one, four of the other.
X = {
    "shape": np.eye(3)[Y % 3] + DRAWS.normal(0, 0.1, (len(Y), 3)),
    "tone": np.eye(4)[Y // 3] + DRAWS.normal(0, 0.1, (len(Y), 4)),
}
X = {name: part.astype(np.float32) for name, part in X.items()}
ASKED = dict(way=3, shot=2, query=3)


def source() -> tfmeta.data.Source:
    return from_arrays(X, Y, split=(0.5, 0.25, 0.25))


def net(way: int | None = None) -> keras.Model:
    sizes = {"tone": 4, "shape": 3}
    inputs = {name: keras.Input((n,), name=name) for name, n in sizes.items()}
    hidden = [
        keras.layers.Dense(6, activation="tanh")(inputs[name])
        for name in ("shape", "tone")
    ]
    x = BatchNorm()(keras.layers.Concatenate()(hidden))
    if way is not None:
        x = keras.layers.Dense(way, name="head")(x)
    return tfmeta.nets.fresh(keras.Model(inputs, x), seed=0)


LEARNERS = {
    "maml": lambda: MAML(net(3), inner_steps=2, inner_lr=0.1),
    "protonet": lambda: ProtoNet(net()),
}


def support(part) -> tuple[dict[str, np.ndarray], np.ndarray, dict, np.ndarray]:
    """Two examples of each of three classes, and the others."""
    places = np.arange(len(part.y)).reshape(-1, MEMBERS)[:3]
    known, asked = places[:, :2].ravel(), places[:, 2:].ravel()
    x, y = part.x, part.y
    return (
        {n: leaf[known] for n, leaf in x.items()},
        y[known],
        {n: leaf[asked] for n, leaf in x.items()},
        y[asked],
    )


@pytest.fixture(scope="module", params=LEARNERS)
def trained(request) -> tuple[tfmeta.MetaModel, keras.callbacks.History]:
    model = tfmeta.MetaModel(LEARNERS[request.param](), task_map="loop")
    model.compile(keras.optimizers.Adam(0.01))
    stream = episodes(source().train, **ASKED, tasks=4, seed=0)
    history = model.fit(stream, steps_per_epoch=15, epochs=3, verbose=0)
    return model, history.history


def test_it_is_trained_and_scored(trained) -> None:
    model, history = trained
    assert history["loss"][-1] < history["loss"][0]
    found = tfmeta.evaluate(model, source().test, **ASKED, episodes=40)
    nearest = tfmeta.evaluate(NearestNeighbour(), source().test, **ASKED, episodes=40)
    # Raw inputs tell the classes apart, both parts of them together.
    assert nearest.mean > 0.99
    assert found.mean > 0.8
    assert found.drawn == nearest.drawn


def test_an_episode_has_the_structure_of_the_examples() -> None:
    stream = episodes(source().train, **ASKED, tasks=2, count=2)
    x, y = next(iter(stream))
    assert {n: leaf.shape for n, leaf in x["support_x"].items()} == {
        "shape": (2, 6, 3),
        "tone": (2, 6, 4),
    }
    # The parts of an example stay together, and with its label.
    rows = {tuple(np.append(s, t)): c for s, t, c in zip(*X.values(), Y, strict=True)}
    for task in range(2):
        drawn = [leaf[task].numpy() for leaf in x["query_x"].values()]
        classes = [rows[tuple(np.append(*parts))] for parts in zip(*drawn, strict=True)]
        pairs = set(zip(classes, y[task].numpy().tolist(), strict=True))
        assert len(pairs) == 3 == len({label for _, label in pairs})


def test_it_is_adapted_and_saved(trained, tmp_path) -> None:
    model, _ = trained
    known_x, known_y, asked_x, asked_y = support(source().test)
    names = np.array(["ash", "elm", "oak"])
    clf = model.adapt(known_x, names[known_y])
    assert clf.evaluate(asked_x, names[asked_y]) > 0.7
    swapped = dict(reversed(asked_x.items()))
    np.testing.assert_array_equal(clf.predict(swapped), clf.predict(asked_x))
    served = tf.saved_model.load(str(clf.save(tmp_path))).signatures["predict"]
    answer = served(**{f"query_x_{n}": tf.constant(v) for n, v in asked_x.items()})
    np.testing.assert_allclose(answer["probabilities"], clf.predict(asked_x), atol=1e-5)
    told = [name.decode() for name in answer["names"].numpy()]
    assert told == clf.classify(asked_x).tolist()
    clf = model.adapt({n: v[:4] for n, v in known_x.items()}, names[known_y[:4]])
    if model.learner.max_way != 2:
        clf.add_class({n: v[4:] for n, v in known_x.items()}, "oak")
        at_once = model.adapt(known_x, names[known_y])
        np.testing.assert_allclose(
            clf.predict(asked_x), at_once.predict(asked_x), atol=1e-5
        )


def test_it_is_exported_with_the_names_of_its_inputs(trained, tmp_path) -> None:
    model, _ = trained
    folder = tfmeta.export.save(model, tmp_path)
    served = tf.saved_model.load(str(folder)).signatures
    inputs = served["adapt_and_predict"].structured_input_signature[1]
    assert set(inputs) == {
        *("support_x_shape", "support_x_tone", "support_y"),
        *("query_x_shape", "query_x_tone"),
    }
    assert set(served["adapt"].structured_input_signature[1]) == {
        *("support_x_shape", "support_x_tone", "support_y"),
    }
    known_x, known_y, asked_x, _ = support(source().test)
    request = {f"support_x_{n}": tf.constant(v) for n, v in known_x.items()}
    request["support_y"] = tf.constant(known_y.astype(np.int32))
    query = {f"query_x_{n}": tf.constant(v) for n, v in asked_x.items()}
    wanted = model.adapt(known_x, known_y).predict(asked_x)
    answer = served["adapt_and_predict"](**request, **query)
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
    apart = served["predict"](**served["adapt"](**request), **query)
    np.testing.assert_allclose(apart["probabilities"], wanted, atol=1e-5)
    broken = {**request, "support_x_tone": request["support_x_tone"] * np.nan}
    with pytest.raises(tf.errors.InvalidArgumentError, match="support_x_tone has a"):
        served["adapt"](**broken)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "`query_x_tone`" in text and '"support_x_shape": ' in text


def test_a_saved_model_comes_back(trained, tmp_path) -> None:
    model, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    x, _ = next(iter(episodes(source().test, **ASKED, tasks=2, count=2)))
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: {"tone": x["tone"]}, "support_x_shape, support_x_tone"),
        (lambda x: x["tone"], "must have the net's inputs: .* Give a dict"),
        (lambda x: {**x, "tone": x["tone"][:, :2]}, r"shape \(examples, 4\)"),
        (lambda x: {**x, "tone": x["tone"][:-1]}, "the same number of examples"),
    ],
)
def test_examples_that_do_not_fit_are_refused(change, sentence) -> None:
    known_x, known_y, *_ = support(source().test)
    model = tfmeta.MetaModel(LEARNERS["protonet"]())
    with pytest.raises(ValueError, match=sentence):
        model.adapt(change(known_x), known_y)


def test_inputs_of_other_names_are_refused_before_training() -> None:
    parts = {"shape": X["shape"], "hue": X["tone"]}
    for x in (parts, tuple(X.values())):
        model = tfmeta.MetaModel(ProtoNet(net()), task_map="loop")
        model.compile("adam")
        stream = episodes(from_arrays(x, Y).train, **ASKED)
        with pytest.raises(ValueError, match="do not fit the net.*support_x_tone"):
            model.fit(stream, steps_per_epoch=1, verbose=0)


def test_a_net_of_a_list_takes_a_tuple_and_columns_of_a_table() -> None:
    """Keras adds the last axis to a column; so do the answers of an adapted task."""
    inputs = [keras.Input((3,)), keras.Input((1,))]
    joined = keras.layers.Concatenate()(inputs)
    listed = keras.Model(inputs, keras.layers.Dense(4)(joined))
    column = X["tone"][:, 0]
    model = tfmeta.MetaModel(
        ProtoNet(tfmeta.nets.fresh(listed, seed=0)), task_map="loop"
    )
    model.compile("adam")
    stream = episodes(from_arrays((X["shape"], column), Y).train, **ASKED)
    model.fit(stream, steps_per_epoch=1, verbose=0)
    first = (X["shape"][:16], column[:16])
    clf = model.adapt(first, Y[:16])
    wide = (X["shape"][:16], column[:16, None])
    np.testing.assert_array_equal(clf.predict(first), clf.predict(wide))
