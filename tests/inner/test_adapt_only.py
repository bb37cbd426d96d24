"""Which weights adapt, and which part of a net then runs once."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import Examples, Options
from tfmeta.inner.adapt_only import chosen_to_adapt, split_net
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, LinearProbe
from tfmeta.nets import conv4, mlp


@pytest.mark.parametrize(
    ("adapt_only", "expected"),
    [
        (None, [True] * 6),
        ("head", [False] * 4 + [True] * 2),
        (["hidden2/kernel", "head"], [False, False, True, False, True, True]),
        ("kernel", [True, False] * 3),
        (lambda path: path.endswith("bias"), [False, True] * 3),
    ],
)
def test_parts_of_paths_and_functions(adapt_only, expected) -> None:
    assert chosen_to_adapt(mlp(outputs=5), adapt_only) == expected


@pytest.mark.parametrize(
    ("adapt_only", "what"),
    [("heads", "none"), ("hidden", "none"), (lambda path: True, "all"), ([], "none")],
)
def test_matching_none_or_all_is_refused(adapt_only, what: str) -> None:
    with pytest.raises(ValueError, match=f"which matches {what} of: hidden1/kernel"):
        MAML(mlp(outputs=5), adapt_only=adapt_only)


def test_parts_are_matched_whole() -> None:
    names = ["block1", "block10", "head"]
    layers = [keras.layers.Dense(2, name=name) for name in names]
    net = keras.Sequential([keras.Input((2,)), *layers])
    assert chosen_to_adapt(net, "block1") == [True, True, False, False, False, False]


def test_a_sequential_net_does_not_tell_its_own_name() -> None:
    """Keras' paths begin with it, and it changes whenever the net is made again."""
    net = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2, name="head")]
    )
    learner = MAML(net, adapt_only=lambda path: path.startswith("head"))
    assert learner.adapt_only == ["/head/kernel", "/head/bias"]
    again = MAML.from_config(learner.get_config())
    assert again.adapt_only == learner.adapt_only
    assert chosen_to_adapt(again.net, "head") == [False, False, True, True]


def paths(net: keras.Model | None) -> list[str]:
    return [] if net is None else [v.path for v in net.trainable_variables]


def test_the_fixed_part_ends_where_something_adapts() -> None:
    net = conv4(way=5, filters=2)
    fixed, rest = split_net(net, chosen_to_adapt(net, "head"))
    assert paths(rest) == ["head/kernel", "head/bias"]
    assert paths(fixed) == paths(net)[:-2]
    fixed, rest = split_net(net, chosen_to_adapt(net, "block2_conv"))
    assert paths(fixed) == paths(net)[:3] and paths(rest) == paths(net)[3:]
    x = tf.random.stateless_uniform((3, 28, 28, 1), (0, 0))
    np.testing.assert_allclose(rest(fixed(x)), net(x), rtol=1e-5, atol=1e-6)


def test_nets_that_are_not_cut() -> None:
    net = mlp(outputs=3, units=(4,), input_shape=(2,))
    assert split_net(net, [True] * 4) == (None, net)
    assert split_net(net, [False] * 4) == (net, None)
    assert split_net(net, chosen_to_adapt(net, "hidden1")) == (None, net)


def test_paths_of_a_function_match_themselves_alone_when_loaded() -> None:
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.layers.Dense(4, name="dense")], name="enc")
    x = keras.layers.Dense(4, name="dense")(inner(inputs))
    net = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
    learner = MAML(net, adapt_only=lambda path: path.startswith("dense"))
    again = MAML.from_config(learner.get_config())
    for made in (learner, again):
        chosen = chosen_to_adapt(made.net, made.adapt_only)
        assert chosen == [False, False, True, True, False, False]


def test_a_layer_named_as_its_net_keeps_its_name() -> None:
    inputs = keras.Input((2,))
    x = keras.layers.Dense(3, name="enc")(inputs)
    net = keras.Model(inputs, keras.layers.Dense(1, name="head")(x), name="enc")
    assert chosen_to_adapt(net, "enc") == [True, True, False, False]


def both_sides(layer: keras.Layer) -> keras.Model:
    inputs = keras.Input((4,))
    x = keras.layers.Dense(4, name="first")(layer(inputs))
    x = layer(keras.layers.Dense(4, name="mid", activation="tanh")(x))
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x))


def test_a_layer_on_both_sides_keeps_the_net_whole() -> None:
    for layer in (BatchNorm(), keras.layers.Dense(4)):
        net = both_sides(layer)
        assert split_net(net, chosen_to_adapt(net, "mid")) == (None, net)
    learner = MAML(both_sides(BatchNorm()), adapt_only="mid", normalisation="running")
    assert len(learner.statistics) == 3


def test_an_output_of_the_fixed_part_is_handed_through() -> None:
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, name="first")(inputs)
    ends = {n: keras.layers.Dense(1, name=n)(x) for n in ("mean", "deviation")}
    net = keras.Model(inputs, {**ends, "raw": inputs})
    fixed, rest = split_net(net, chosen_to_adapt(net, "mean"))
    rows = tf.random.stateless_normal((5, 4), (0, 0))
    expected, got = net(rows), rest(fixed(rows))
    assert sorted(got) == ["deviation", "mean", "raw"]
    for name in got:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-6)
    assert paths(rest) == ["mean/kernel", "mean/bias"]


def test_what_skips_the_adapting_part_is_handed_over() -> None:
    inputs = {n: keras.Input((3,), name=n) for n in ("a", "b")}
    early = keras.layers.Dense(4, name="early")(inputs["a"])
    middle = keras.layers.Dense(4, name="middle")(early)
    late = keras.layers.Add()([early, middle, keras.layers.Dense(4)(inputs["b"])])
    net = keras.Model(inputs, keras.layers.Dense(2, name="head")(late))
    fixed, rest = split_net(net, chosen_to_adapt(net, "middle"))
    x = {n: tf.random.stateless_normal((5, 3), (i, 0)) for i, n in enumerate("ab")}
    np.testing.assert_allclose(rest(fixed(x)), net(x), rtol=1e-5, atol=1e-6)
    assert "middle/kernel" in paths(rest) and "early/kernel" not in paths(rest)


@keras.saving.register_keras_serializable("tfmeta_tests")
class Counting(keras.layers.Layer):
    """Counts how often the graph runs it."""

    runs = None

    def call(self, x):
        with tf.control_dependencies([type(self).runs.assign_add(1)]):
            return tf.identity(x)


@pytest.mark.parametrize(
    ("make", "runs"),
    [
        (lambda net: MAML(net, adapt_only="last", inner_steps=4), 1),
        (lambda net: MAML(net, adapt_only="last", inner_steps=9), 1),
        (lambda net: MAML(net, inner_steps=4), 4),
        (lambda net: LinearProbe(net, eval_steps=9), 1),
    ],
)
def test_the_fixed_part_runs_once(make, runs: int) -> None:
    Counting.runs = tf.Variable(0)
    inputs = keras.Input((3,))
    x = Counting()(keras.layers.Dense(4)(inputs))
    learner = make(keras.Model(inputs, keras.layers.Dense(2, name="last")(x)))
    support = Examples(tf.ones((4, 3)), tf.constant([0, 1, 0, 1]))
    adapt = tf.function(lambda s: learner.adapt(s, Options())["params"])
    adapt(support)
    assert int(Counting.runs) == runs


def test_the_fixed_part_gets_its_meta_gradient() -> None:
    """Through the features that every step reads, however many steps there are."""
    net = mlp(outputs=2, units=(4,), input_shape=(3,), activation="tanh")
    learner = MAML(net, adapt_only="head", inner_steps=8)
    draws = np.random.default_rng(0)
    x = tf.constant(draws.normal(size=(6, 3)), tf.float32)
    support = Examples(x, tf.constant([0, 1, 0, 1, 1, 0]))

    @tf.function
    def gradients():
        kernel = net.trainable_variables[0].value
        with tf.GradientTape() as tape:
            params = learner.adapt(support, Options(training=True))["params"]
            value = tf.reduce_sum(params[0] ** 2)
        return tape.gradient(value, kernel)

    assert np.abs(gradients()).max() > 1e-4
