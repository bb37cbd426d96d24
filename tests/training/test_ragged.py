"""Tasks of different size in one batch: padding is as if it were not there."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from learner_cases import CASES, Case, episode, normed, plain

from tfmeta import MetaModel, Options
from tfmeta.core import Episode
from tfmeta.data import episodes, from_arrays, load
from tfmeta.learners import MAML, ProtoNet
from tfmeta.training.step import task_map_choice

BY_NAME = {case.name: case for case in CASES}
NAMES = ("maml", "protonet", "maml_regression")
# One task a line; support labels, then query labels; three ways in each.
LABELS = [
    ([2, 0, 1], [0, 1, 2, 1]),
    ([2, 0, 1, 2, 1, 0, 2], [0, 2]),
    ([0, 1, 2, 2], [1, 0, 0, 2, 1, 2]),
]


def tasks(case: Case) -> list[Episode]:
    return [episode(case, labels, seed=i) for i, labels in enumerate(LABELS)]


def batch(case: Case) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """The tasks padded with what no learner could bear."""

    def stacked(parts):
        longest = max(len(p) for p in parts)
        bad = 10**6 if parts[0].dtype.is_integer else np.nan
        rows = [
            np.pad(
                p,
                [(0, longest - len(p))] + [(0, 0)] * (p.ndim - 1),
                constant_values=bad,
            )
            for p in parts
        ]
        return tf.constant(np.stack(rows))

    each = tasks(case)
    x = {
        "support_x": stacked([t.support.x for t in each]),
        "support_y": stacked([t.support.y for t in each]),
        "query_x": stacked([t.query.x for t in each]),
        "support_count": tf.constant([len(t.support.x) for t in each]),
        "query_count": tf.constant([len(t.query.x) for t in each]),
    }
    return x, stacked([t.query.y for t in each])


def compiled(case: Case, **options) -> MetaModel:
    model = MetaModel(case.make(), **{"task_map": "loop", **options})
    model.compile("sgd", metrics=["mse" if case.targets else "accuracy"])
    return model


def score(case: Case, predictions, y) -> np.ndarray:
    if case.targets:
        return (predictions.numpy() - y.numpy())[:, 0] ** 2
    return predictions.numpy().argmax(-1) == y.numpy()


@pytest.mark.parametrize(
    ("name", "strategy"),
    # Compiling for each size takes long.
    [*((name, "loop") for name in NAMES), ("maml_regression", "compiled")],
)
def test_a_step_is_that_of_the_tasks_one_by_one(name: str, strategy: str) -> None:
    case = BY_NAME[name]
    alone = case.make()
    each = [alone.meta_gradients(task, Options(training=True)) for task in tasks(case)]
    model = compiled(case, task_map=strategy)
    x, y = batch(case)
    step = tf.function(model.meta_gradients, autograph=False)
    losses, predictions, sums = step(x, y)
    np.testing.assert_allclose(losses, [loss for loss, _, _ in each], rtol=1e-5)
    # Tasks weigh alike, whatever the number of their queries.
    totals = [np.sum(g, 0) for g in zip(*(g for *_, g in each), strict=True)]
    size = max(np.abs(total).max() for total in totals)
    for gradient, total in zip(sums.gradients, totals, strict=True):
        np.testing.assert_allclose(gradient, total, rtol=1e-5, atol=1e-5 * size)
    assert int(sums.count) == 3
    for found, (_, wanted, _) in zip(predictions, each, strict=True):
        real = len(wanted["predictions"])
        np.testing.assert_allclose(
            found[:real], wanted["predictions"], rtol=1e-4, atol=1e-5
        )
        np.testing.assert_array_equal(found[real:], 0)


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_metrics_are_of_real_queries(name: str) -> None:
    case = BY_NAME[name]
    model, x, y = compiled(case), *batch(case)
    alone = case.make()
    metric = "mse" if case.targets else "accuracy"

    asked = Options()
    answers = [
        alone.predict(alone.adapt(t.support, asked), t.query.x, asked)
        for t in tasks(case)
    ]
    hits = [
        score(case, a, t.query.y) for a, t in zip(answers, tasks(case), strict=True)
    ]
    logs = model.test_step((x, y))
    np.testing.assert_allclose(logs[metric], np.mean(np.concatenate(hits)), rtol=1e-4)
    if case.targets:  # Every task counts alike, whatever its number of queries.
        np.testing.assert_allclose(
            logs["loss"], np.mean([h.mean() for h in hits]), 1e-4
        )
    for row, answer in zip(model(x), answers, strict=True):
        np.testing.assert_allclose(row[: len(answer)], answer, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(row[len(answer) :], 0)

    model.reset_metrics()
    trained = [alone.loss(task, Options(training=True)) for task in tasks(case)]
    hits = [
        score(case, outputs["predictions"], task.query.y)
        for (_, outputs), task in zip(trained, tasks(case), strict=True)
    ]
    logs = model.meta_step((x, y))
    np.testing.assert_allclose(logs["loss"], np.mean([t[0] for t in trained]), 1e-5)
    np.testing.assert_allclose(logs[metric], np.mean(np.concatenate(hits)), rtol=1e-4)


def test_fit_on_unequal_shots_does_not_compile_for_each_size(monkeypatch) -> None:
    monkeypatch.setattr(task_map_choice, "_seconds", None)  # Nothing is timed.
    draws = np.random.default_rng(0)
    x = (draws.normal(size=(8, 1, 4)) + draws.normal(0, 0.3, (8, 12, 4))).reshape(-1, 4)
    y = np.repeat(np.arange(8), 12)
    whole = {"train": [str(c) for c in range(8)]}
    part = from_arrays(x.astype("float32"), y, split=whole).train
    model = MetaModel(ProtoNet(plain()))
    model.compile(keras.optimizers.Adam(0.01))
    stream = episodes(part, way=3, shot=(1, 4), query=3, tasks=4, unequal_shots=True)
    history = model.fit(stream, steps_per_epoch=10, epochs=3, verbose=0).history
    assert model.task_map == "loop"
    assert history["loss"][-1] < history["loss"][0]

    varied = episodes(part, way=(2, 4), shot=2, query=3, tasks=4)
    model = MetaModel(MAML(normed(5)))
    assert model.choose_task_map(varied) == "loop"
    model = MetaModel(MAML(plain(1)))
    unequal = episodes(load("lines").train, shot=(1, 4), unequal_shots=True)
    assert model.choose_task_map(next(iter(unequal))) == "loop"
