"""What users give to `compile`, `fit` and `load_model` out of habit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from learner_cases import CASES, FEATURES, MAX_WAY, batch, normed, plain

from tfmeta import MetaModel
from tfmeta.data import from_arrays
from tfmeta.learners import MAML, ProtoNet
from tfmeta.training import RunFolder, Stream, Trainer
from tfmeta.training.pretrain import PretrainModel

CASE = CASES[0]


def data() -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    support, query = batch(CASE, 3)
    return {"support_x": support.x, "support_y": support.y, "query_x": query.x}, query.y


STREAM = tf.data.Dataset.from_tensors(data()).repeat()


def model(learner=None, **options) -> MetaModel:
    made = MetaModel(learner or ProtoNet(plain()), task_map="loop")
    made.compile(keras.optimizers.Adam(0.01), **options)
    return made


@pytest.mark.parametrize(
    "metrics",
    [
        "accuracy",
        ["accuracy"],
        keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        [keras.metrics.SparseTopKCategoricalAccuracy(k=1, name="accuracy")],
        [keras.metrics.SparseTopKCategoricalAccuracy(k=2, name="top2")],
    ],
)
def test_metrics_are_counted_over_queries(metrics) -> None:
    made = model(metrics=metrics)
    scores = made.evaluate(STREAM, steps=1, verbose=0, return_dict=True)
    x, y = data()
    order = np.argsort(-made.predict(x, verbose=0), axis=-1)
    hits = order == y.numpy()[..., None]
    wanted = {"accuracy": hits[..., 0].mean(), "top2": hits[..., :2].any(-1).mean()}
    (name,) = scores.keys() & wanted.keys()
    assert scores[name] == pytest.approx(wanted[name])
    history = made.fit(STREAM, steps_per_epoch=1, verbose=0).history
    assert name in history


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"jit_compile": True}, 'no jit_compile=True.*task_map="compiled"'),
        ({"loss": "mse"}, "takes no loss:"),
        ({"loss_weights": [1.0]}, "takes no loss_weights"),
        ({"weighted_metrics": ["accuracy"]}, "takes no weighted_metrics"),
    ],
)
def test_compile_refuses_what_would_be_of_no_effect(options, sentence) -> None:
    for made in (MetaModel(ProtoNet(plain())), PretrainModel(ProtoNet(plain()), 3)):
        with pytest.raises(ValueError, match=sentence):
            made.compile("sgd", **options)
    model(jit_compile=False, steps_per_execution=2)


X, Y = data()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((np.zeros((6, *FEATURES)), np.zeros(6)), "takes batches of episodes"),
        ((np.zeros((6, *FEATURES)),), "takes batches of episodes"),
        (({"x": X["query_x"]}, Y), "Received: \\{x: float32"),
        (
            (tf.data.Dataset.from_tensors((X["query_x"], Y)),),
            "takes batches of episodes",
        ),
        (
            (tf.data.Dataset.from_tensors((X, Y, tf.ones(3))),),
            "All examples have the same weight",
        ),
    ],
)
def test_fit_and_evaluate_refuse_what_is_no_episodes(given, sentence) -> None:
    for call in (model().fit, model().evaluate):
        with pytest.raises(ValueError, match=sentence):
            call(*given)


@pytest.mark.parametrize("name", ["class_weight", "sample_weight"])
def test_fit_refuses_weights(name: str) -> None:
    with pytest.raises(ValueError, match="All examples have the same weight"):
        model().fit(X, Y, **{name: {0: 2.0} if name == "class_weight" else np.ones(3)})


def test_fit_takes_the_arrays_of_many_episodes() -> None:
    made = model()
    history = made.fit(X, Y, epochs=3, batch_size=2, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int8"])
def test_labels_of_any_whole_dtype_train_alike(dtype: str) -> None:
    def trained(cast) -> list[np.ndarray]:
        made = model(MAML(normed(MAX_WAY)))
        stream = STREAM.map(
            lambda x, y: ({**x, "support_y": cast(x["support_y"])}, cast(y))
        )
        made.fit(stream, steps_per_epoch=2, verbose=0)
        return [v.numpy() for v in made.trained]

    same = zip(trained(lambda t: tf.cast(t, dtype)), trained(tf.identity), strict=True)
    for found, wanted in same:
        np.testing.assert_array_equal(found, wanted)


def test_a_loaded_model_trains_on(tmp_path) -> None:
    whole, saved = model(MAML(normed(MAX_WAY))), model(MAML(normed(MAX_WAY)))
    whole.fit(STREAM, steps_per_epoch=4, verbose=0)
    saved.fit(STREAM, steps_per_epoch=2, verbose=0)
    saved.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 2
    history = loaded.fit(STREAM, steps_per_epoch=2, verbose=0).history
    assert {"loss", "accuracy"} <= set(history)
    for found, wanted in zip(loaded.trained, whole.trained, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


def test_a_loaded_model_has_its_own_metrics(tmp_path) -> None:
    metric = keras.metrics.SparseTopKCategoricalAccuracy(k=2, name="top2")
    model(metrics=[metric]).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    scores = loaded.evaluate(STREAM, steps=1, verbose=0, return_dict=True)
    assert "top2" in scores and "accuracy" not in scores


def test_a_loss_that_is_no_number_stops_fit() -> None:
    made = model(MAML(normed(MAX_WAY)))
    parts = batch(CASE, 3)
    x = {
        "support_x": parts.support.x,
        "support_y": parts.support.y,
        "query_x": tf.tensor_scatter_nd_update(
            parts.query.x, [[1, 0, 0]], [float("nan")]
        ),
        "episode": tf.constant([70, 71, 72], tf.int64),
    }
    bad = tf.data.Dataset.from_tensors((x, parts.query.y))
    good = {**x, "query_x": parts.query.x}
    stream = tf.data.Dataset.from_tensors((good, parts.query.y)).concatenate(bad)
    with pytest.raises(FloatingPointError) as error:
        made.fit(stream, verbose=0)
    assert "The loss is nan at step 2, task 1 (episode 71)." in str(error.value)
    assert "Lower the learning rates" in str(error.value)
    assert all(np.isfinite(v.numpy()).all() for v in made.learner.variables)


class Unknown(keras.layers.Layer):
    """A layer that cannot be made again: its config lacks an argument."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(units)

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def call(self, x):
        return self.dense(x)


def not_kept() -> ProtoNet:
    return ProtoNet(keras.Sequential([keras.Input(FEATURES), Unknown(3)]))


def test_fit_warns_once_of_a_net_that_cannot_be_kept() -> None:
    made = model(not_kept())
    with pytest.warns(UserWarning, match="could not be loaded again.*Unknown"):
        made.fit(STREAM, steps_per_epoch=1, verbose=0)
    made.fit(STREAM, steps_per_epoch=1, verbose=0)


def test_a_trainer_refuses_a_net_that_cannot_be_kept(tmp_path) -> None:
    source = from_arrays(
        np.zeros((60, *FEATURES), "float32"), np.repeat(np.arange(12), 5)
    )
    sizes = Stream(2, 1, 1, 2)
    options = {"train": sizes, "validation": sizes, "steps": 1}
    with pytest.raises(ValueError, match="keeps the config of a learner.*Unknown"):
        Trainer(model(not_kept()), source, RunFolder(tmp_path), **options)
    Trainer(model(not_kept()), source, None, **options)
    assert not list(tmp_path.iterdir())


def test_a_run_without_a_graph_names_the_step_too() -> None:
    made = MetaModel(ProtoNet(plain()), task_map="loop")
    made.compile("sgd", run_eagerly=True)
    bad = {**X, "query_x": X["query_x"] * np.nan}
    with pytest.raises(FloatingPointError, match="The loss is nan at step 1, task 0"):
        made.fit(bad, Y, verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        ({**X, "support_y": X["support_y"] + 7}, Y, "below 5, the net's outputs"),
        ({**X, "support_y": tf.cast(X["support_y"], "float32")}, Y, "whole numbers"),
        (X, tf.one_hot(Y, 3), "in place of one-hot rows or floats; values need"),
    ],
)
def test_fit_refuses_labels_of_arrays_before_it_trains(x, y, sentence) -> None:
    made = model(MAML(normed(MAX_WAY), targets="labels"))
    with pytest.raises(ValueError, match=sentence):
        made.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (STREAM.take(0), "Received: an empty dataset"),
        (STREAM.map(lambda x, y: x), "Received: x, and no y"),
    ],
)
def test_fit_refuses_datasets_without_batches_or_pairs(data, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        model().fit(data, verbose=0)


def test_a_list_of_batches_is_refused() -> None:
    with pytest.raises(ValueError, match="batches of episodes.* Received: a list"):
        model().fit([data()], verbose=0)
