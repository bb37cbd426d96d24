"""A learner that predicts a mean and a deviation, on every floor above it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import Examples, Options
from tfmeta.core import Batch
from tfmeta.data import episodes, from_arrays
from tfmeta.learners import Learner
from tfmeta.nets import fresh, mlp
from tfmeta.training import RunFolder, Stream, Trainer

DRAWS = np.random.default_rng(0)
TASKS, MEMBERS, NOISE = 30, 14, 0.4
TASK = np.repeat(np.arange(TASKS), MEMBERS)
X = DRAWS.uniform(-1, 1, (len(TASK), 1)).astype(np.float32)
OFFSETS = DRAWS.normal(0, 2, TASKS)[TASK]
Y = (OFFSETS + X[:, 0] + DRAWS.normal(0, NOISE, len(TASK))).astype(np.float32)
ASKED = dict(shot=6, query=5)


@keras.saving.register_keras_serializable("tfmeta_tests")
class Shifted(Learner):
    """The net's first output and the support set's mean error; the second is log s."""

    def __init__(self, net, **kwargs):
        super().__init__(net, **{"targets": "values", **kwargs})

    def adapt(self, support: Examples, options: Options):
        z, state = self.body.support(support.x, options)
        return {"shift": tf.reduce_mean(support.y - z[:, :1]), "state": state}

    def predict(self, adapted, x, options: Options):
        z = self.body.query(x, adapted["state"], options)
        return {"mean": z[:, :1] + adapted["shift"], "deviation": tf.exp(z[:, 1:])}

    def loss(self, episode, options: Options):
        adapted = self.adapt(episode.support, options)
        found = self.predict(adapted, episode.query.x, options)
        errors = (episode.query.y - found["mean"]) / found["deviation"]
        nll = tf.math.log(found["deviation"]) + 0.5 * errors**2
        outputs = {"predictions": found, "statistics": self.new_statistics(adapted)}
        return tf.reduce_mean(nll), outputs


def source() -> tfmeta.data.Source:
    return from_arrays(X, Y, tasks=TASK, split=(0.6, 0.2, 0.2))


def learner() -> Shifted:
    return Shifted(fresh(mlp(outputs=2, units=(8,), input_shape=(1,)), seed=0))


def by_hand(given: Learner, support_x, support_y, query_x) -> np.ndarray:
    """Mean and deviation, `(queries, 2)`."""
    shift = np.mean(support_y - given.net(support_x).numpy()[:, :1])
    z = given.net(query_x).numpy()
    return np.stack([z[:, 0] + shift, np.exp(z[:, 1])], axis=-1)


@pytest.fixture(scope="module")
def trained() -> tuple[tfmeta.MetaModel, dict]:
    model = tfmeta.MetaModel(learner())
    model.compile(keras.optimizers.Adam(0.02))
    stream = episodes(source().train, **ASKED, tasks=4, seed=0)
    return model, model.fit(stream, steps_per_epoch=50, epochs=4, verbose=0).history


def test_it_is_trained_by_its_own_loss_and_judged_by_the_error(trained) -> None:
    model, history = trained
    assert history["loss"][-1] < history["loss"][0]
    # The noise of the query and of the mean of six.
    wanted = NOISE * np.sqrt(1 + 1 / 6)
    assert history["mse"][-1] == pytest.approx(wanted**2, rel=0.25)
    x, _ = next(iter(episodes(source().test, **ASKED, tasks=6, count=6)))
    assert np.mean(model(x)["deviation"]) == pytest.approx(wanted, rel=0.25)


def test_a_step_reports_the_loss_and_the_error() -> None:
    model = tfmeta.MetaModel(learner(), task_map="loop")
    model.compile("sgd")
    x, y = next(iter(episodes(source().train, **ASKED, tasks=3, count=3)))
    alone, nlls, errors = learner(), [], []
    for task in range(3):
        parts = [x[n][task].numpy() for n in ("support_x", "support_y", "query_x")]
        mean, deviation = by_hand(alone, *parts).T
        off = y[task, :, 0].numpy() - mean
        errors.append(off**2)
        nlls.append(np.mean(np.log(deviation) + 0.5 * (off / deviation) ** 2))
    before = model.test_step((x, y))
    assert float(before["loss"]) == pytest.approx(np.mean(errors), rel=1e-4)
    model.reset_metrics()
    logs = model.meta_step((x, y))
    np.testing.assert_allclose(logs["task_losses"], nlls, rtol=1e-4, atol=1e-5)
    assert float(logs["mse"]) == pytest.approx(np.mean(errors), rel=1e-4)


def test_it_is_scored_by_its_mean(trained) -> None:
    model, _ = trained
    found = tfmeta.evaluate(model, source().test, **ASKED, episodes=9)
    stream = episodes(source().test, **ASKED, tasks=9, seed=1, count=9)
    x, y = next(iter(stream))
    answers = [
        by_hand(model.learner, *parts)
        for parts in zip(
            *(x[n].numpy() for n in ("support_x", "support_y", "query_x")), strict=True
        )
    ]
    off = np.stack(answers)[..., 0] - y.numpy()[..., 0]
    np.testing.assert_allclose(found.scores, (off**2).mean(1), rtol=1e-3)
    np.testing.assert_allclose(found.metrics["mae"], np.abs(off).mean(1), rtol=1e-3)
    predicted = model.predict(stream, verbose=0)
    np.testing.assert_allclose(
        np.concatenate([predicted["mean"], predicted["deviation"]], -1),
        answers,
        atol=1e-4,
    )


def test_padding_is_not_answered(trained) -> None:
    model, _ = trained
    part = source().test
    stream = episodes(
        part, shot=(2, 6), query=5, tasks=4, count=4, seed=3, unequal_shots=True
    )
    x, y = next(iter(stream))
    real = Batch.read(x, y).counts.query.y.numpy()
    support = Batch.read(x, y).counts.support.y.numpy()
    model.reset_metrics()
    predictions, logs = model(x), model.test_step((x, y))
    errors = []
    for task in range(4):
        s, q = support[task], real[task]
        parts = [x[n][task, :s].numpy() for n in ("support_x", "support_y")]
        wanted = by_hand(model.learner, *parts, x["query_x"][task, :q].numpy())
        for place, name in enumerate(("mean", "deviation")):
            found = predictions[name][task].numpy()
            np.testing.assert_allclose(found[:q, 0], wanted[:, place], atol=1e-4)
            assert not found[q:].any()
        errors.append(np.mean((wanted[:, 0] - y[task, :q, 0].numpy()) ** 2))
    assert len(set(support)) > 1
    assert float(logs["loss"]) == pytest.approx(np.mean(errors), rel=1e-3)


def test_it_is_exported_with_the_names_of_its_answers(trained, tmp_path) -> None:
    model, _ = trained
    folder = tfmeta.export.save(model, tmp_path)
    served = tf.saved_model.load(str(folder)).signatures
    draws = np.random.default_rng(1)
    support_x, query_x = draws.uniform(-1, 1, (2, 5, 1)).astype(np.float32)
    support_y = draws.normal(0, 1, (5, 1)).astype(np.float32)
    support = {
        n: tf.constant(v)
        for n, v in (("support_x", support_x), ("support_y", support_y))
    }
    query = {"query_x": tf.constant(query_x)}
    wanted = by_hand(model.learner, support_x, support_y, query_x)
    for answer in (
        served["adapt_and_predict"](**support, **query),
        served["predict"](**served["adapt"](**support), **query),
    ):
        assert set(answer) == {"mean", "deviation"}
        np.testing.assert_allclose(answer["mean"][:, 0], wanted[:, 0], atol=1e-5)
        np.testing.assert_allclose(answer["deviation"][:, 0], wanted[:, 1], atol=1e-5)
    spec = served["adapt"].structured_input_signature[1]["support_y"]
    assert spec.shape.as_list() == [None, 1]  # The net's two outputs are no targets.
    assert "| output | `deviation` | float32 |" in (folder / "README.md").read_text()


def test_it_is_adapted_to_arrays_and_saved(trained, tmp_path) -> None:
    model, _ = trained
    part = source().test
    x, y = part.x[:MEMBERS], part.y[:MEMBERS]
    task = model.adapt(x[:6], y[:6, 0])
    found = task.predict(x[6:])
    wanted = by_hand(model.learner, x[:6], y[:6], x[6:])
    np.testing.assert_allclose(found["mean"][:, 0], wanted[:, 0], atol=1e-5)
    np.testing.assert_allclose(found["deviation"][:, 0], wanted[:, 1], atol=1e-5)
    error = np.mean((wanted[:, 0] - y[6:, 0]) ** 2)
    assert task.evaluate(x[6:], y[6:]) == pytest.approx(error, rel=1e-4)
    served = tf.saved_model.load(str(task.save(tmp_path))).signatures["predict"]
    answer = served(query_x=tf.constant(x[6:]))
    for name in ("mean", "deviation"):
        np.testing.assert_allclose(answer[name], found[name], atol=1e-5)


def test_a_run_is_validated_by_the_error(tmp_path) -> None:
    model = tfmeta.MetaModel(learner(), task_map="loop")
    model.compile("sgd")
    run = RunFolder(tmp_path)
    streams = (Stream(None, 6, 5, 3), Stream(None, 6, 5, 4))
    options = dict(train=streams[0], validation=streams[1], steps=2)
    best = Trainer(model, source(), run, **options).run()["best"]
    again = run.load_model().learner
    found = tfmeta.evaluate(again, source().val, **ASKED, episodes=4, seed=0)
    assert found.mean == pytest.approx(best, rel=1e-6)
