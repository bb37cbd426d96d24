"""Half precision: what stays in float32, and Keras' scaling of the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import MetaModel, Options
from tfmeta.core import Examples
from tfmeta.inner import Adam, LearnedRates
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, FineTune, Learner, MatchingNet, ProtoNet, Reptile
from tfmeta.training.pretrain import PretrainModel
from tfmeta.training.step.outer_step import finite_steps

FEATURES, WAY = 6, 3
HALF = ("mixed_float16", "mixed_bfloat16", "bfloat16")
COARSE = {"mixed_float16": 0.01, "mixed_bfloat16": 0.06, "bfloat16": 0.06}


@pytest.fixture
def policy(request) -> Iterator[str]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def policies(*names: str):
    return pytest.mark.parametrize("policy", names, indirect=True)


def net(outputs: int | None = None) -> keras.Model:
    inputs = keras.Input((FEATURES,))
    x = keras.layers.Dense(8, activation="tanh")(inputs)
    if outputs is not None:
        x = keras.layers.Dense(outputs, name="head")(x)
    made = keras.Model(inputs, x)
    draws = np.random.default_rng(0)
    for variable in made.trainable_variables:
        variable.assign(draws.normal(0, 0.5, variable.shape))
    return made


def sets(seed: int = 1, targets: bool = False) -> tuple[Examples, Examples]:
    draws = np.random.default_rng(seed)

    def examples(y):
        x = draws.normal(size=(len(y), FEATURES)) + np.eye(WAY, FEATURES)[y]
        y = x[:, :1].astype("float32") if targets else np.array(y, "int32")
        return Examples(tf.constant(x, tf.float32), tf.constant(y))

    return examples([0, 1, 2, 2, 1]), examples([2, 0, 1, 1])


def batch(targets: bool = False):
    support, query = (
        tf.nest.map_structure(lambda *t: tf.stack(t), *each)
        for each in zip(sets(1, targets), sets(2, targets), strict=True)
    )
    x = {"support_x": support.x, "support_y": support.y, "query_x": query.x}
    return x, query.y


def scaled(scale: float) -> keras.optimizers.Optimizer:
    """SGD of rate 1, wrapped as under mixed_float16, with another first scale."""
    return keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(1.0), initial_scale=scale
    )


def moved(make: Callable[[], keras.Model], data, optimizer=None) -> np.ndarray:
    """How far one step of SGD moves the weights."""
    model = make()
    model.compile(optimizer or keras.optimizers.SGD(1.0))
    model.optimizer.build(model.trained)
    before = [v.numpy().astype("float32") for v in model.trained]
    tf.function(model.step, autograph=False)(data)
    after = [v.numpy().astype("float32") for v in model.trained]
    return np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)])


def meta(learner: Callable[[], Learner]) -> Callable[[], MetaModel]:
    return lambda: MetaModel(learner(), task_map="loop")


def in_float32(make: Callable, *args):
    half = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return make(*args)
    finally:
        keras.config.set_dtype_policy(half)


LEARNERS = {
    "maml": lambda: MAML(net(WAY), inner_lr=0.1),
    "meta_sgd": lambda: MAML(net(WAY), rule=LearnedRates),
    "maml_adam": lambda: MAML(net(WAY), rule=Adam, inner_lr=0.01),
    "proto_maml": lambda: MAML(net(), inner_lr=0.05, inner_steps=3),
    "reptile": lambda: Reptile(net(WAY), inner_lr=0.01),
    "protonet": lambda: ProtoNet(net()),
    "cosine": lambda: ProtoNet(net(), distance="cosine"),
    "matching_net": lambda: MatchingNet(net(), full_context=True),
    "fine_tune": lambda: FineTune(net(), eval_steps=20),
}


@policies("mixed_float16")
@pytest.mark.parametrize("name", [n for n in LEARNERS if n != "fine_tune"])
def test_a_step_of_sgd_is_as_long_as_in_float32(policy: str, name: str) -> None:
    whole = in_float32(moved, meta(LEARNERS[name]), batch())
    half = moved(meta(LEARNERS[name]), batch(), scaled(128))
    assert np.abs(half - whole).max() < 0.03 * np.abs(whole).max()


@policies("mixed_float16")
def test_keras_wraps_the_optimizer(policy: str) -> None:
    model = meta(LEARNERS["protonet"])()
    model.compile(keras.optimizers.SGD(1.0))
    assert float(model.optimizer.dynamic_scale) == 2**15
    whole = in_float32(moved, meta(LEARNERS["protonet"]), batch())
    half = moved(meta(LEARNERS["protonet"]), batch())
    assert np.abs(half - whole).max() < 0.03 * np.abs(whole).max()


@policies("mixed_float16")
def test_regression_and_pretraining_too(policy: str) -> None:
    def regression():
        return MetaModel(MAML(net(1), inner_lr=0.1, targets="values"), task_map="loop")

    def pretraining():
        return PretrainModel(FineTune(net()), WAY, seed=3)

    x, y = batch()
    for make, data in (
        (regression, batch(targets=True)),
        (pretraining, (x["query_x"][0], y[0])),
    ):
        whole = in_float32(moved, make, data)
        half = moved(make, data, scaled(128))
        assert np.abs(half - whole).max() < 0.03 * np.abs(whole).max()


@policies(*HALF)
@pytest.mark.parametrize("name", LEARNERS)
def test_answers_are_those_of_float32(policy: str, name: str) -> None:
    support, query = sets()
    answers = []
    for make in (lambda: in_float32(LEARNERS[name]), LEARNERS[name]):
        learner = make()
        adapted = learner.adapt(support, Options())
        logits = learner.predict(adapted, query.x, Options())
        assert logits.dtype == tf.float32
        answers.append(learner.targets_for().outputs(logits)["probabilities"])
    np.testing.assert_allclose(answers[1], answers[0], atol=COARSE[policy] * 3)


@policies("mixed_float16", "bfloat16")
def test_carried_moments_are_whole_and_small(policy: str) -> None:
    learner = Reptile(net(WAY), inner_lr=0.01, eval_steps=2)
    *moments, weight = learner.rule.statistics
    assert {v.dtype for v in learner.rule.statistics} == {"float32"}
    for moment in moments:
        moment.assign(tf.fill(moment.shape, 1e-9))
    weight.assign(1.0)
    support, query = sets()
    adapted = learner.adapt(support, Options())
    wanted = learner.predict(adapted, query.x, Options())
    asked = {"support_x": support.x[None], "support_y": support.y[None]}
    found = MetaModel(learner)({**asked, "query_x": query.x[None]})
    np.testing.assert_allclose(found[0], wanted, atol=COARSE[policy] * 3)


@policies("mixed_float16", "bfloat16")
def test_served_answers_are_float32(policy: str) -> None:
    support, query = sets()
    model = MetaModel(ProtoNet(net()))
    clf = model.adapt(support.x.numpy(), support.y.numpy())
    assert clf.predict(query.x.numpy()).dtype == np.float32


@policies("mixed_float16")
@pytest.mark.parametrize("kind", ["meta", "pretrain"])
def test_a_step_that_overflows_is_left_out(policy: str, kind: str) -> None:
    make = meta(lambda: ProtoNet(normed()))
    x, y = batch()
    data = (x, y)
    if kind == "pretrain":
        make = lambda: PretrainModel(FineTune(net()), WAY)  # noqa: E731
        data = (x["query_x"][0], y[0])
    optimizer = scaled(1e30)
    assert not moved(make, data, optimizer).any()
    assert float(optimizer.dynamic_scale) == pytest.approx(0.5e30)


def normed() -> keras.Model:
    inputs = keras.Input((FEATURES,))
    return keras.Model(inputs, BatchNorm()(keras.layers.Dense(8)(inputs)))


@policies("mixed_float16")
def test_a_loss_that_stays_infinite_stops_training(policy: str) -> None:
    model = MetaModel(ProtoNet(net()), task_map="loop")
    model.compile(scaled(4))
    x, y = batch()
    x = {**x, "query_x": x["query_x"] * np.nan}
    stream = tf.data.Dataset.from_tensors((x, y)).repeat()
    before = [v.numpy() for v in model.trained]
    # The scale falls from 4 to 1 in two steps, which are left out.
    with pytest.raises(FloatingPointError, match="The loss is nan at step 1, task 0"):
        model.fit(stream, steps_per_epoch=9, verbose=0)
    assert float(model.optimizer.dynamic_scale) == 1
    for old, new in zip(before, model.trained, strict=True):
        np.testing.assert_array_equal(old, new)


@policies("float64")
def test_regression_in_float64_takes_float32_targets(policy: str) -> None:
    support, query = sets(targets=True)
    learner = MAML(net(1), inner_lr=0.1, targets="values")
    adapted = learner.adapt(support, Options())
    values = learner.predict(adapted, query.x, Options())
    assert values.dtype == tf.float64
    model = tfmeta.MetaModel(learner, task_map="loop")
    model.compile("sgd")
    logs = model.meta_step(batch(targets=True))
    assert np.isfinite(logs["task_losses"]).all()


@pytest.mark.parametrize("kind", ["meta", "pretrain"])
def test_a_fixed_factor_lets_no_bad_step_pass(kind: str) -> None:
    x, y = batch()
    data = ({**x, "query_x": x["query_x"] * np.nan}, y)
    model = meta(LEARNERS["protonet"])()
    if kind == "pretrain":
        model, data = PretrainModel(FineTune(net()), WAY), (data[0]["query_x"][0], y[0])
    model.compile(keras.optimizers.SGD(0.1, loss_scale_factor=128.0))
    model.optimizer.build(model.trained)
    before = [v.numpy() for v in model.trained]
    with pytest.raises(FloatingPointError, match="The loss is nan at step 1"):
        with finite_steps():
            model.step(data)
    for old, new in zip(before, model.trained, strict=True):
        np.testing.assert_array_equal(old, new)


@policies("bfloat16")
def test_what_fit_logs_are_numbers(policy: str) -> None:
    model = meta(LEARNERS["protonet"])()
    model.compile("sgd")
    stream = tf.data.Dataset.from_tensors(batch()).repeat()
    history = model.fit(stream, steps_per_epoch=1, verbose=0).history
    assert all(np.isscalar(float(v)) for (v,) in history.values())
    assert round(history["gradient_norm"][0], 3) > 0


@policies("mixed_float16")
def test_a_saved_model_keeps_its_scale_under_another_policy(policy, tmp_path) -> None:
    model = meta(LEARNERS["protonet"])()
    model.compile("sgd")
    model.optimizer.dynamic_scale.assign(64.0)
    model.save(tmp_path / "model.keras")
    loaded = in_float32(keras.models.load_model, tmp_path / "model.keras")
    assert float(loaded.optimizer.dynamic_scale) == 64
