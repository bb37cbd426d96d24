"""The Keras model around a learner."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from learner_cases import CASES, FEATURES, batch, drawn, dropped, normed, plain

from tfmeta import MetaModel, Options
from tfmeta.core import STRATEGIES, Episode
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, FromScratch, NearestNeighbour, ProtoNet
from tfmeta.training.step import task_map_choice

CASE = CASES[0]


def data(tasks: int = 3, **options) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    tasks = batch(CASE, tasks, **options)
    x = {
        "support_x": tasks.support.x,
        "support_y": tasks.support.y,
        "query_x": tasks.query.x,
    }
    return x, tasks.query.y


def compiled(learner, optimizer="sgd", **options) -> MetaModel:
    model = MetaModel(learner, **{"task_map": "loop", **options})
    model.compile(optimizer)
    return model


def test_fit_evaluate_predict_with_callbacks() -> None:
    stream = tf.data.Dataset.from_tensors(data()).repeat()
    model = MetaModel(ProtoNet(plain()))
    model.compile(keras.optimizers.Adam(0.01))
    seen = []
    history = model.fit(
        stream,
        steps_per_epoch=2,
        epochs=3,
        validation_data=stream,
        validation_steps=1,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda i, logs: seen.append(i)
            ),
            keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=50),
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=50),
        ],
    ).history
    assert seen == [0, 1] * 3
    assert {"loss", "accuracy", "gradient_norm", "val_loss", "val_accuracy"} <= set(
        history
    )
    assert history["loss"][-1] < history["loss"][0]
    assert model.task_map in STRATEGIES
    scores = model.evaluate(stream, steps=2, verbose=0, return_dict=True)
    logits = model.predict(stream, steps=2, verbose=0)
    assert logits.shape == (6, 6, 3)
    y = data()[1].numpy()
    assert scores["accuracy"] == pytest.approx(
        np.mean(logits[:3].argmax(-1) == y), abs=1e-6
    )
    np.testing.assert_allclose(logits[:3], model(data()[0]), rtol=1e-5)


def test_loss_and_metrics_are_the_means_over_tasks() -> None:
    learner = MAML(normed(5))
    model = compiled(learner)
    logs = model.meta_step(data())
    reference = MAML(normed(5))
    losses, right = [], []
    for task in tasks_of(batch(CASE)):
        loss, outputs = reference.loss(task, Options(training=True))
        losses.append(loss.numpy())
        right.append(np.mean(np.argmax(outputs["predictions"], -1) == task.query.y))
    np.testing.assert_allclose(logs["task_losses"], losses, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], np.mean(losses), rtol=1e-5)
    np.testing.assert_allclose(logs["accuracy"], np.mean(right), rtol=1e-6)
    assert model.optimizer.iterations.numpy() == 1


def tasks_of(tasks: Episode) -> list[Episode]:
    return [
        tf.nest.map_structure(lambda t, i=i: t[i], tasks)
        for i in range(len(tasks.query.y))
    ]


def test_gradient_is_the_mean_over_tasks_and_the_optimizer_gets_it() -> None:
    learner = MAML(normed(5))
    tasks = tasks_of(batch(CASE))
    each = [learner.meta_gradients(t, Options(training=True))[2] for t in tasks]
    expected = [np.mean(gs, 0) for gs in zip(*each, strict=True)]
    model = compiled(learner, keras.optimizers.SGD(0.5))
    _, _, sums = model.meta_gradients(*data())
    assert int(sums.count) == 3
    before = [v.numpy() for v in learner.trainable_variables]
    logs = model.meta_step(data())
    for total, mean, old, new in zip(
        sums.gradients, expected, before, learner.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(total, 3 * mean, rtol=1e-4, atol=3e-6)
        np.testing.assert_allclose(new, old - 0.5 * mean, rtol=1e-4, atol=1e-5)
    norm = np.sqrt(sum(np.sum(g**2) for g in expected))
    np.testing.assert_allclose(logs["gradient_norm"], norm, rtol=1e-4)


def test_running_state_is_the_mean_over_tasks() -> None:
    learner = ProtoNet(normed())
    start = [v.numpy() for v in learner.statistics]
    kernel = learner.net.layers[1].kernel.numpy()
    compiled(learner).meta_step(data())
    z = batch(CASE).support.x.numpy() @ kernel
    momentum = 0.99
    batches = [z.mean(1), z.var(1), np.ones(3)]
    for variable, old, of_tasks in zip(learner.statistics, start, batches, strict=True):
        expected = momentum * old + (1 - momentum) * of_tasks.mean(0)
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-5)


def test_frozen_weights_stay_to_the_bit() -> None:
    net = keras.Sequential(
        [keras.Input(FEATURES), keras.layers.Dense(3, trainable=False), BatchNorm()]
    )
    net.add(keras.layers.Dense(2))
    learner = ProtoNet(drawn(net))
    frozen = net.layers[0].get_weights()
    model = compiled(learner)
    for _ in range(3):
        model.meta_step(data(7))
    for old, new in zip(frozen, net.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_statistics_in_support_mode_are_left_alone() -> None:
    learner = MAML(normed(5))
    before = [v.numpy() for v in learner.net.non_trainable_variables]
    compiled(learner).meta_step(data())
    for old, new in zip(before, learner.net.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


@keras.saving.register_keras_serializable("tfmeta_tests")
class Bursting(ProtoNet):
    """Its statistics become too large after some steps."""

    def new_statistics(self, adapted):
        return [v / v * np.inf for v in super().new_statistics(adapted)]


def test_statistics_that_are_not_finite_stop_training() -> None:
    learner = Bursting(normed())
    before = [v.numpy() for v in learner.variables]
    model = compiled(learner)
    with pytest.raises(FloatingPointError, match="moving statistic is nan at step 1"):
        model.fit(tf.data.Dataset.from_tensors(data()), verbose=0)
    for old, new in zip(before, learner.variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_weight_regularisers_count_once() -> None:
    def net(penalty):
        layer = keras.layers.Dense(2, kernel_regularizer=penalty)
        return drawn(keras.Sequential([keras.Input(FEATURES), layer]))

    moved = {}
    for penalty in (None, keras.regularizers.L2(0.1)):
        learner = ProtoNet(net(penalty))
        start = learner.net.layers[0].kernel.numpy()
        compiled(learner, keras.optimizers.SGD(1.0)).meta_step(data())
        moved[penalty is None] = learner.net.layers[0].kernel.numpy()
    # The gradient of 0.1 * w^2 is 0.2 * w, however many tasks and steps there are.
    np.testing.assert_allclose(moved[True] - moved[False], 0.2 * start, rtol=1e-4)


def test_dropout_is_a_function_of_the_step() -> None:
    def net():
        layers = [keras.Input(FEATURES), keras.layers.Dense(6), BatchNorm()]
        layers += [keras.layers.Dropout(0.5), keras.layers.Dense(2)]
        return drawn(keras.Sequential(layers))

    first, again = (
        compiled(ProtoNet(net()), keras.optimizers.SGD(0.0)) for _ in range(2)
    )
    logs = [model.meta_step(data())["task_losses"].numpy() for model in (first, again)]
    np.testing.assert_array_equal(*logs)
    for a, b in zip(first.learner.weights, again.learner.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    # The next step draws other masks, tasks of one step too, another seed too.
    assert np.any(first.meta_step(data())["task_losses"] != logs[0])
    other = compiled(ProtoNet(net()), keras.optimizers.SGD(0.0), seed=9)
    assert np.any(other.meta_step(data())["task_losses"] != logs[0])
    same = tf.nest.map_structure(lambda t: tf.stack([t[0]] * 3), data())
    assert len(set(other.meta_step(same)["task_losses"].numpy())) == 3


def test_dropout_is_off_when_served() -> None:
    model = MetaModel(MAML(dropped()))
    np.testing.assert_array_equal(model(data()[0]), model(data()[0]))


def test_auto_times_the_task_maps_once_and_keeps_the_fastest(monkeypatch) -> None:
    model = compiled(ProtoNet(plain()), task_map="auto")
    asked = []

    def seconds(timed, name, _):
        assert timed is model
        asked.append(name)
        return {"compiled": 1.0}.get(name, 2.0)

    monkeypatch.setattr(task_map_choice, "_seconds", seconds)
    before = [v.numpy() for v in model.learner.variables]
    assert model.choose_task_map(data()) == "compiled" == model.task_map
    assert model.choose_task_map(data()) == "compiled"
    assert asked == list(STRATEGIES)
    for old, new in zip(before, model.learner.variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_auto_passes_over_what_xla_cannot_compile() -> None:
    @keras.saving.register_keras_serializable("tfmeta_tests")
    class Texts(keras.layers.Layer):
        """XLA knows no strings."""

        def call(self, x):
            length = tf.strings.length(tf.strings.as_string(x))
            return x + 0.0 * tf.cast(length, x.dtype)

    net = keras.Sequential([keras.Input(FEATURES), Texts(), keras.layers.Dense(3)])
    model = compiled(ProtoNet(net), task_map="auto")
    assert model.choose_task_map(data()) == "loop"


def test_config_makes_it_again() -> None:
    model = MetaModel(MAML(normed(5), inner_steps=2), task_map="loop", seed=4)
    again = MetaModel.from_config(model.get_config())
    assert (again.task_map, again.seed, again.name) == ("loop", 4, model.name)
    assert again.learner.inner_steps == 2
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(data()[0]), model(data()[0]))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="takes a learner.*Received: Functional"):
        MetaModel(plain())
    with pytest.raises(ValueError, match="auto, loop, compiled.*'vmap'"):
        MetaModel(ProtoNet(plain()), task_map="vmap")
    with pytest.raises(ValueError, match="minimises the learner's own loss"):
        MetaModel(ProtoNet(plain())).compile("sgd", loss="mse")
    for learner in (NearestNeighbour(), FromScratch(plain())):
        with pytest.raises(ValueError, match="no weights to train"):
            MetaModel(learner).compile("sgd")


def test_stock_batch_normalization_is_for_first_order_alone() -> None:
    def net():
        layers = [keras.layers.Dense(4), keras.layers.BatchNormalization()]
        layers = [keras.Input(FEATURES), *layers]
        return keras.Sequential([*layers, keras.layers.Dense(5, name="head")])

    with pytest.raises(ValueError, match="second derivatives.*adaptable"):
        MAML(net(), normalisation="task")
    for mode in ("task", "running"):
        learner = MAML(net(), first_order=True, normalisation=mode)
        logs = compiled(learner).meta_step(data())
        assert np.isfinite(logs["loss"])
    with pytest.raises(ValueError, match="normalisation='support' cannot set"):
        MAML(net(), first_order=True)


def test_float_targets_with_their_metric() -> None:
    case = next(case for case in CASES if case.targets)
    tasks = batch(case)
    x = {
        "support_x": tasks.support.x,
        "support_y": tasks.support.y,
        "query_x": tasks.query.x,
    }
    model = MetaModel(case.make(), task_map="loop")
    model.compile("sgd", metrics=["mse"])
    scores = model.evaluate(x, tasks.query.y, verbose=0, return_dict=True)
    expected = np.mean((model(x) - tasks.query.y) ** 2)
    assert scores["mse"] == pytest.approx(expected, rel=1e-5)
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)


def test_a_rule_is_built_for_the_adapted_parameters() -> None:
    from tfmeta.inner import UpdateRule

    @keras.saving.register_keras_serializable("tfmeta_tests")
    class Rates(UpdateRule):
        def build(self, shapes):
            self.shapes = [tuple(s) for s in shapes]
            constant = keras.initializers.Constant(0.1)
            self.rate = self.add_weight(shape=(), initializer=constant)

        def update(self, grads, state, params, step):
            rate = tf.convert_to_tensor(self.rate.value)
            return [-rate * g for g in grads], state

    for net, made in ((plain(5), []), (plain(), [(6, None), (None,)])):
        learner = MAML(net, rule=Rates())
        own = [tuple(v.shape) for v in net.trainable_variables]
        assert learner.rule.shapes == own + made
        assert len(learner.trainable_variables) == len(own) + 1
        compiled(learner, keras.optimizers.SGD(0.1)).meta_step(data())
        assert learner.rule.rate.numpy() != np.float32(0.1)
        again = MAML.from_config(learner.get_config())
        assert len(again.variables) == len(learner.variables)
