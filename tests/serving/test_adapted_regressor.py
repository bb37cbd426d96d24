"""Regression from arrays to a served answer: each task a line of its own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.data import episodes, from_arrays
from tfmeta.learners import MAML, ProtoNet
from tfmeta.nets import conv4, fresh, mlp

DRAWS = np.random.default_rng(0)
TASKS, MEMBERS = 40, 12
USERS = np.repeat([f"user {i:02}" for i in range(TASKS)], MEMBERS)
SLOPES = np.repeat(DRAWS.uniform(-2, 2, TASKS), MEMBERS)
X = DRAWS.uniform(-1, 1, (TASKS * MEMBERS, 2)).astype(np.float32)
Y = (SLOPES * X[:, 0] + 0.3 * X[:, 1]).astype(np.float32)
ASKED = dict(shot=6, query=4)
# One task that no other is like: y = 1.5 a + 0.3 b.
SUPPORT_X, QUERY_X = DRAWS.uniform(-1, 1, (2, 7, 2)).astype(np.float32)
SUPPORT_Y, QUERY_Y = (x @ np.float32([1.5, 0.3]) for x in (SUPPORT_X, QUERY_X))


def source() -> tfmeta.data.Source:
    return from_arrays(X, Y, tasks=USERS, split=(0.6, 0.2, 0.2))


def learner(outputs: int = 1, **options) -> MAML:
    net = mlp(outputs=outputs, units=(16,), input_shape=(2,), activation="tanh")
    options = {"inner_steps": 3, "inner_lr": 0.1, **options}
    return MAML(fresh(net, seed=0), **options)


@pytest.fixture(scope="module")
def trained() -> tuple[tfmeta.MetaModel, dict]:
    model = tfmeta.MetaModel(learner(), task_map="loop")
    model.compile(keras.optimizers.Adam(0.01))
    stream = episodes(source().train, **ASKED, tasks=4, seed=0)
    history = model.fit(
        stream,
        steps_per_epoch=60,
        epochs=3,
        validation_data=episodes(source().val, **ASKED, tasks=4, count=8),
        verbose=0,
    )
    return model, history.history


def by_hand(given: MAML, support_x, support_y, query_x) -> np.ndarray:
    """Gradient steps on a copy of the net, the dumb way."""
    net = keras.models.clone_model(given.net)
    net.set_weights(given.net.get_weights())
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((net(support_x)[:, 0] - support_y) ** 2)
        weights = [v.value for v in net.trainable_variables]
        for v, g in zip(
            net.trainable_variables, tape.gradient(loss, weights), strict=True
        ):
            v.assign(v - 0.1 * g)
    return net(query_x).numpy()


def test_fit_finds_out_that_y_are_values(trained) -> None:
    model, history = trained
    assert model.learner.targets == tfmeta.Values()
    assert {"loss", "mse", "val_loss", "val_mse"} <= set(history)
    np.testing.assert_allclose(history["loss"], history["mse"], rtol=1e-4)
    assert history["val_mse"][-1] < 0.3 * history["val_mse"][0]


def test_evaluate_is_the_mean_squared_error(trained) -> None:
    model, _ = trained
    test = source().test
    found = tfmeta.evaluate(model, test, **ASKED, episodes=12)
    assert (found.metric, found.way, found.query) == ("mse", None, 4)
    stream = episodes(test, **ASKED, tasks=12, seed=1, count=12)
    x, y = next(iter(stream))
    errors = [
        by_hand(model.learner, sx, sy[:, 0], qx) - qy
        for sx, sy, qx, qy in zip(
            *(x[n].numpy() for n in ("support_x", "support_y", "query_x")),
            y.numpy(),
            strict=True,
        )
    ]
    np.testing.assert_allclose(
        found.scores, [(e**2).mean() for e in errors], rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(
        found.metrics["mae"], [np.abs(e).mean() for e in errors], rtol=1e-3
    )
    # The lines' variance is what an answer of zero would have.
    assert found.mean < 0.2 * np.var(test.y)


def test_adapt_predict_and_evaluate(trained) -> None:
    model, _ = trained
    task = model.adapt(SUPPORT_X, SUPPORT_Y)
    wanted = by_hand(model.learner, SUPPORT_X, SUPPORT_Y, QUERY_X)
    values = task.predict(QUERY_X)
    assert values.shape == (7, 1) and values.dtype == np.float32
    np.testing.assert_allclose(values, wanted, atol=1e-5)
    error = np.mean((wanted[:, 0] - QUERY_Y) ** 2)
    assert task.evaluate(QUERY_X, QUERY_Y) == pytest.approx(error, rel=1e-4)
    assert task.evaluate(QUERY_X, QUERY_Y[:, None]) == pytest.approx(error, rel=1e-4)
    assert error < 0.2 * np.var(QUERY_Y)
    assert task.predict(QUERY_X[:0]).shape == (0, 1)
    # Many queries are answered in parts.
    many = np.tile(QUERY_X, (40, 1))
    np.testing.assert_allclose(task.predict(many), np.tile(values, (40, 1)), atol=1e-6)
    for y in (SUPPORT_Y[:, None], SUPPORT_Y.tolist(), tf.constant(SUPPORT_Y)):
        again = model.adapt(SUPPORT_X, y).predict(QUERY_X)
        np.testing.assert_array_equal(again, values)


def test_it_saves_itself(trained, tmp_path) -> None:
    model, _ = trained
    task = model.adapt(SUPPORT_X, SUPPORT_Y)
    folder = task.save(tmp_path / "power")
    assert folder == tmp_path / "power" / "1"
    served = tf.saved_model.load(str(folder)).signatures
    assert set(served) == {"predict", "serving_default"}
    answer = served["serving_default"](query_x=tf.constant(QUERY_X))
    assert set(answer) == {"values"}
    np.testing.assert_allclose(answer["values"], task.predict(QUERY_X), atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="query_x has a value"):
        served["predict"](query_x=tf.constant(QUERY_X * np.nan))
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "predicts the values of one task" in text and "Classes" not in text


def test_the_learner_is_exported(trained, tmp_path) -> None:
    model, _ = trained
    folder = tfmeta.export.save(model, tmp_path / "lines")
    served = tf.saved_model.load(str(folder)).signatures
    support = dict(
        support_x=tf.constant(SUPPORT_X), support_y=tf.constant(SUPPORT_Y[:, None])
    )
    query = {"query_x": tf.constant(QUERY_X)}
    wanted = model.adapt(SUPPORT_X, SUPPORT_Y).predict(QUERY_X)
    both = served["adapt_and_predict"](**support, **query)
    assert set(both) == {"values"} and both["values"].dtype == tf.float32
    np.testing.assert_allclose(both["values"], wanted, atol=1e-5)
    adapted = served["adapt"](**support)
    assert set(adapted) == {f"params_{i:02}" for i in range(4)}
    apart = served["predict"](**adapted, **query)
    np.testing.assert_allclose(apart["values"], wanted, atol=1e-5)
    spec = served["adapt"].structured_input_signature[1]["support_y"]
    assert (spec.shape.as_list(), spec.dtype) == ([None, 1], tf.float32)
    for name, change, sentence in (
        ("support_y", lambda t: t * np.nan, "support_y has a value that is NaN"),
        (
            "support_y",
            lambda t: t[1:],
            "7 examples, but support_y has 6 rows. Give one row",
        ),
        ("query_x", lambda t: t / 0, "query_x has a value"),
    ):
        request = {**support, **query}
        request[name] = change(request[name])
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            served["adapt_and_predict"](**request)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "learns to predict values" in text and "labels" not in text


def test_a_net_of_several_outputs_predicts_rows(tmp_path) -> None:
    model = tfmeta.MetaModel(learner(outputs=3))
    y = np.stack([SUPPORT_Y, -SUPPORT_Y, 0 * SUPPORT_Y], axis=-1)
    task = model.adapt(SUPPORT_X, y)
    values = task.predict(QUERY_X)
    assert values.shape == (7, 3)
    assert task.evaluate(QUERY_X, values + [1, 2, 0]) == pytest.approx(5 / 3, rel=1e-5)
    served = tf.saved_model.load(str(task.save(tmp_path))).signatures["predict"]
    answer = served(query_x=tf.constant(QUERY_X))["values"]
    np.testing.assert_allclose(answer, values, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (SUPPORT_X, SUPPORT_Y[:3], "Received: 7 and 3"),
        (SUPPORT_X[:0], SUPPORT_Y[:0], "at least one. Received: 0 and 0"),
        (SUPPORT_X, SUPPORT_Y * np.nan, "support_y must hold finite numbers"),
        (SUPPORT_X, np.stack([SUPPORT_Y] * 2, -1), r"shape \(examples, 1\)"),
        (SUPPORT_X[:, :1], SUPPORT_Y, r"support_x must have the shape \(examples, 2\)"),
        (SUPPORT_X * np.inf, SUPPORT_Y, "support_x must be .* finite"),
    ],
)
def test_a_support_set_that_does_not_fit_is_refused(x, y, sentence) -> None:
    model = tfmeta.MetaModel(learner())
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=sentence):
        model.adapt(x, y)
    assert model.learner.targets is None  # Nothing was found out.


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (QUERY_X, QUERY_Y[:3], r"7 queries and y of shape \(3, 1\)"),
        (QUERY_X[:0], QUERY_Y[:0], "at least one"),
        (QUERY_X, ["a"] * 7, "y must hold numbers"),
    ],
)
def test_evaluate_refuses(x, y, sentence) -> None:
    task = tfmeta.MetaModel(learner()).adapt(SUPPORT_X, SUPPORT_Y)
    with pytest.raises(ValueError, match=sentence):
        task.evaluate(x, y)


def test_a_learner_that_diverged_does_not_answer() -> None:
    task = tfmeta.MetaModel(learner(inner_lr=1e30)).adapt(SUPPORT_X, SUPPORT_Y)
    with pytest.raises(ValueError, match="NaN or an infinite value"):
        task.predict(QUERY_X)


def test_transductive_normalisation_needs_the_flag(tmp_path) -> None:
    net = conv4(way=1, filters=2, strided=True, input_shape=(4, 4, 1))
    model = tfmeta.MetaModel(MAML(net, normalisation="task"))
    task = model.adapt(DRAWS.random((3, 4, 4, 1)), [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="allow_transductive=True"):
        task.save(tmp_path / "a")
    assert task.save(tmp_path / "a", allow_transductive=True).name == "1"


def test_floats_for_a_classifier_are_no_names() -> None:
    model = tfmeta.MetaModel(ProtoNet(mlp(units=(4,), input_shape=(2,))))
    with pytest.raises(ValueError, match="must hold the names of classes"):
        model.adapt(SUPPORT_X, SUPPORT_Y)


def test_floats_that_number_classes_are_told_to_be_whole() -> None:
    model = tfmeta.MetaModel(learner(outputs=3))
    with pytest.raises(ValueError, match=r"numbers of classes.*y.astype\(int\)"):
        model.adapt(np.zeros((4, 2), "float32"), np.float32([0, 0, 1, 2]))
