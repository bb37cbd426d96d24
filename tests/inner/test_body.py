"""Bodies: a net under each normalisation mode."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import Options
from tfmeta.inner import Body, State
from tfmeta.inner.body import states_in
from tfmeta.layers import BatchNorm

TRAINING = Options(training=True)


def normed() -> keras.Model:
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(3, trainable=False),
        BatchNorm(epsilon=1e-9),
    ]
    return keras.Sequential(layers)


def rows(n: int, seed: int = 0) -> tf.Tensor:
    draws = np.random.default_rng(seed)
    return tf.constant(draws.normal(2, 3, (n, 4)), tf.float32)


def standardised(net: keras.Model, x: tf.Tensor, by: tf.Tensor) -> np.ndarray:
    """x through the Dense layer, normalised by the statistics of other examples."""
    z, like = (net.layers[0](t).numpy().astype("float64") for t in (x, by))
    return (z - like.mean(0)) / like.std(0)


def test_support_normalises_queries_by_the_support_set() -> None:
    net = normed()
    body = Body(net, "support")
    x, queries = rows(7), rows(5, 1)
    z, state = body.support(x, Options())
    np.testing.assert_allclose(z, standardised(net, x, x), rtol=1e-4, atol=1e-4)
    for asked in (queries, queries[:1]):
        got = body.query(asked, state, Options())
        np.testing.assert_allclose(
            got, standardised(net, asked, x), rtol=1e-3, atol=1e-3
        )
    assert [v.path.split("/")[-1] for v in body.statistics] == [
        "moving_mean",
        "moving_variance",
        "weight",
    ]


def test_task_normalises_each_call_by_itself() -> None:
    net = normed()
    body = Body(net, "task")
    x, queries = rows(7), rows(5, 1)
    z, state = body.support(x, Options())
    np.testing.assert_allclose(z, standardised(net, x, x), rtol=1e-4, atol=1e-4)
    assert tf.nest.flatten(state) == []
    got = body.query(queries, state, Options())
    np.testing.assert_allclose(
        got, standardised(net, queries, queries), rtol=1e-4, atol=1e-4
    )


def test_running_normalises_by_moving_averages_outside_training() -> None:
    net = normed()
    norm = net.layers[1]
    for variable, value in zip(body_of(norm), (1.0, 4.0, 0.5), strict=True):
        variable.assign(tf.fill(variable.shape, value))
    body, x = Body(net, "running"), rows(7)
    z, state = body.support(x, Options())
    assert tf.nest.flatten(state) == []
    # Averages are unbiased by their weight: mean 2, variance 8.
    expected = (net.layers[0](x) - 2.0) / np.sqrt(8.0)
    np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        body.query(x, state, Options()), expected, rtol=1e-5, atol=1e-5
    )
    _, state = body.support(x, TRAINING)
    mean = net.layers[0](x).numpy().mean(0)
    # 0.99 of the old average, 0.01 of the batch's.
    np.testing.assert_allclose(state.statistics[0], 0.99 + 0.01 * mean, rtol=1e-5)
    np.testing.assert_allclose(state.statistics[2], 0.99 * 0.5 + 0.01, rtol=1e-6)


def body_of(norm: BatchNorm) -> list[keras.Variable]:
    return [norm.moving_mean, norm.moving_variance, norm.weight]


def test_a_net_without_statistics_has_no_mode() -> None:
    dense = keras.layers.Dense(3, trainable=False)
    net = keras.Sequential([keras.Input((4,)), dense, keras.layers.Dense(2)])
    body = Body(net, "support")
    assert body.mode.name == "none" and not body.mode.joint
    z, state = body.support(rows(3), Options())
    np.testing.assert_allclose(z, net(rows(3)), rtol=1e-6)
    np.testing.assert_allclose(body.query(rows(3), state, Options()), z, rtol=1e-6)


def test_given_weights_take_the_place_of_the_nets() -> None:
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    kernel, bias = np.ones((4, 2), "float32"), np.array([1.0, -1.0], "float32")
    z, _ = Body(net).support(rows(3), Options(), [kernel, bias])
    np.testing.assert_allclose(z, rows(3).numpy() @ kernel + bias, rtol=1e-5)


def test_states_are_found_by_their_type() -> None:
    one, other = Body(normed(), "support"), Body(normed(), "support", place="1")
    (_, a), (_, b) = (body.support(rows(3), Options()) for body in (one, other))
    assert isinstance(a, State) and type(a) is not type(b)
    adapted = {"x": [tf.zeros(2), {"deep": (a,)}], "y": b}
    found = states_in(adapted)
    assert found[one.State] is a and found[other.State] is b
    packed = tf.nest.map_structure(lambda t: t + 1, adapted)
    assert set(states_in(packed)) == {one.State, other.State}


def test_a_state_that_must_be_kept_is_missed() -> None:
    body = Body(normed(), "running")
    with pytest.raises(ValueError, match="must be somewhere in what adapt returns"):
        body.kept(None)


def test_support_queries_bodies_and_steps_drop_other_units() -> None:
    net = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5)])
    x = tf.ones((1, 50))
    options = Options(training=True, seed=tf.constant(3, tf.int64))

    def support(body: Body, options: Options) -> np.ndarray:
        return body.support(x, options)[0].numpy()

    body = Body(net, "running")
    _, state = body.support(x, options)
    masks = [
        support(body, options),
        body.query(x, state, options).numpy(),
        support(Body(net, "running", place="1"), options),
        support(body, options.fold("inner step", 0)),
        support(body, options.fold("inner step", 1)),
    ]
    np.testing.assert_array_equal(masks[0], support(body, options))
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert 5 < np.sum(mask != other) < 45
    assert body.random and not np.any(support(body, Options()) != 1)


def test_foreign_statistics_are_refused_where_one_batch_cannot_set_them() -> None:
    stock = keras.layers.BatchNormalization(name="batch_normalization")
    net = keras.Sequential([keras.Input((4,)), stock, keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="batch_normalization.*adaptable"):
        Body(net, "support")
    assert Body(net, "running").mode.name == "running"


@pytest.mark.parametrize("mode", ["support", "task"])
def test_dropout_beside_batch_norm_is_refused(mode: str) -> None:
    layers = [keras.Input((4,)), BatchNorm(), keras.layers.Dropout(0.5)]
    with pytest.raises(ValueError, match="random layers"):
        Body(keras.Sequential(layers), mode)


def test_bad_modes_and_unbuilt_nets_are_refused() -> None:
    with pytest.raises(ValueError, match="support, task, running.*'batch'"):
        Body(normed(), "batch")
    with pytest.raises(ValueError, match="must be built"):
        Body(keras.Sequential([keras.layers.Dense(2)]), "task")


def test_one_output_is_asked_for_where_features_are() -> None:
    inputs = keras.Input((4,))
    outputs = [keras.layers.Dense(2)(inputs), keras.layers.Dense(3)(inputs)]
    with pytest.raises(ValueError, match="must have one output"):
        assert Body(keras.Model(inputs, outputs)).features
    assert Body(normed()).features == 3
