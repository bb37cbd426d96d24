"""What `y` is: found out once, and known wherever the learner goes."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import Labels, MetaModel, Options, Values
from tfmeta.core import Episode
from tfmeta.data import episodes, from_arrays
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, ProtoNet
from tfmeta.nets import fresh, mlp
from tfmeta.serving import AdaptedClassifier, AdaptedRegressor
from tfmeta.training import RunFolder, Stream, Trainer

DRAWS = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(12), 8)
X = DRAWS.normal(size=(96, 3)).astype(np.float32)
LABELS = from_arrays(X, GROUPS, split=(0.5, 0.25, 0.25))
VALUES = from_arrays(
    X, X[:, 0] * GROUPS, tasks=GROUPS, split=(0.5, 0.25, 0.25), name="numbers"
)
SOURCES = {"labels": (LABELS, 3, Labels()), "values": (VALUES, None, Values())}


def learner(**options) -> MAML:
    """Its net has three outputs, which may be logits or values."""
    return MAML(fresh(mlp(outputs=3, input_shape=(3,)), seed=0), **options)


def stream(name: str, **options) -> tf.data.Dataset:
    source, way, _ = SOURCES[name]
    options = {"shot": 2, "query": 3, "tasks": 2, **options}
    found = episodes(source.train, way=way, **options)
    if name == "labels":
        return found
    # Values of three numbers, as the net's outputs.
    return found.map(
        lambda x, y: (
            {**x, "support_y": tf.repeat(x["support_y"], 3, axis=-1)},
            tf.repeat(y, 3, axis=-1),
        )
    )


@pytest.mark.parametrize("name", SOURCES)
def test_fit_finds_them_and_they_are_saved(name, tmp_path) -> None:
    given, targets = learner(inner_lr=0.01), SOURCES[name][2]
    assert given.targets is None and given.get_config()["targets"] is None
    model = MetaModel(given, task_map="loop")
    model.compile(keras.optimizers.SGD(1e-4))
    history = model.fit(stream(name), steps_per_epoch=2, verbose=0).history
    assert given.targets == targets
    # The metric of labels that compile had to suppose has given way.
    assert set(history) == {"loss", "gradient_norm", targets.metric}
    assert type(given).from_config(given.get_config()).targets == targets
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert again.learner.targets == targets
    x, _ = next(iter(stream(name)))
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)


def test_metrics_that_were_asked_for_stay() -> None:
    model = MetaModel(learner(inner_lr=0.01), task_map="loop")
    model.compile(keras.optimizers.SGD(1e-4), metrics=["mae"])
    history = model.fit(stream("values"), steps_per_epoch=2, verbose=0).history
    assert set(history) == {"loss", "gradient_norm", "mae"}


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        ([[0.5] * 3, [1.0] * 3], AdaptedRegressor),
        (np.float64([[1, 2, 3], [4, 5, 6]]), AdaptedRegressor),
        (tf.constant([[1.0, 2.0, 3.0]] * 2), AdaptedRegressor),
        ([0, 1], AdaptedClassifier),
        (["wren", "owl"], AdaptedClassifier),
        (np.array(["wren", "owl"], object), AdaptedClassifier),
        (np.array([True, False]), AdaptedClassifier),
        (tf.constant([7, 3]), AdaptedClassifier),
    ],
)
def test_adapt_finds_them(y, kind) -> None:
    model = MetaModel(learner())
    assert type(model.adapt(X[:2], y)) is kind
    wanted = Values() if kind is AdaptedRegressor else Labels()
    assert model.learner.targets == wanted


def test_what_was_told_holds() -> None:
    model = MetaModel(learner(targets="values"))
    whole = model.adapt(X[:2], [[1, 2, 3], [4, 5, 6]])  # Integers, but values.
    assert type(whole) is AdaptedRegressor and whole.predict(X[:4]).shape == (4, 3)
    with pytest.raises(ValueError, match="all of them texts, or all of them whole"):
        MetaModel(learner(targets="labels")).adapt(X[:2], [0.5, 1.5])


def test_a_run_keeps_them(tmp_path) -> None:
    net = fresh(mlp(outputs=1, input_shape=(3,)), seed=0)
    given = MAML(net, inner_lr=0.01)
    model = MetaModel(given, task_map="loop")
    model.compile("sgd")
    shape = Stream(None, 2, 3, 2)
    trainer = Trainer(
        model, VALUES, RunFolder(tmp_path), train=shape, validation=shape, steps=1
    )
    trainer.run()
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["learner"]["config"]["targets"]["class_name"] == "Values"
    assert RunFolder(tmp_path).load_model().learner.targets == Values()


def normed() -> ProtoNet:
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), BatchNorm()])
    return ProtoNet(fresh(net, seed=0), normalisation="running")


@pytest.mark.parametrize("strategy", ["loop", "compiled"])
def test_sums_are_those_of_the_tasks_added_up(strategy) -> None:
    model = MetaModel(normed(), task_map=strategy)
    model.compile(keras.optimizers.SGD(0.5))
    x, y = next(iter(stream("labels", tasks=5)))
    losses, _, sums = model.meta_gradients(x, y)
    alone, each = normed(), []
    for i in range(5):
        task = tf.nest.map_structure(lambda t, i=i: t[i], Episode.from_batch(x, y))
        each.append(alone.meta_gradients(task, Options(training=True)))
    assert int(sums.count) == 5
    np.testing.assert_allclose(losses, [loss for loss, *_ in each], rtol=1e-5)
    for place, total in enumerate(sums.gradients):
        wanted = np.sum([gradients[place] for *_, gradients in each], axis=0)
        np.testing.assert_allclose(total, wanted, rtol=1e-4, atol=1e-5)
    assert len(sums.statistics) == 3  # Mean, variance and count of BatchNorm.
    for place, total in enumerate(sums.statistics):
        wanted = np.sum([out["statistics"][place] for _, out, _ in each], axis=0)
        np.testing.assert_allclose(total, wanted, rtol=1e-4, atol=1e-5)
    start = [v.numpy() for v in model.trained]
    model.meta_step((x, y))
    for old, new, total in zip(start, model.trained, sums.gradients, strict=True):
        np.testing.assert_allclose(new, old - 0.5 * total / 5, rtol=1e-4, atol=1e-5)
    for variable, total in zip(alone.statistics, sums.statistics, strict=True):
        place = [v.path for v in alone.statistics].index(variable.path)
        np.testing.assert_allclose(
            model.learner.statistics[place], total / 5, rtol=1e-4, atol=1e-5
        )


def test_a_task_of_many_queries_weighs_as_one_of_few() -> None:
    """Two tasks, of two and of six queries: the step is the mean of their steps."""
    x, y = next(iter(stream("labels", tasks=2, query=2)))
    counts = dict(support_count=tf.constant([6, 6]), query_count=tf.constant([2, 6]))
    moved = {}
    for name, places in (("both", [0, 1]), ("first", [0]), ("second", [1])):
        model = MetaModel(learner(targets="labels"), task_map="loop")
        model.compile(keras.optimizers.SGD(1.0))
        before = [v.numpy() for v in model.trained]
        part = tf.nest.map_structure(
            lambda t, places=places: tf.gather(t, places), ({**x, **counts}, y)
        )
        logs = model.meta_step(part)
        after = [v.numpy() for v in model.trained]
        moved[name] = [a - b for a, b in zip(after, before, strict=True)]
        moved[name].append(logs["loss"].numpy())
    for both, first, second in zip(*moved.values(), strict=True):
        np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-4, atol=1e-6)
