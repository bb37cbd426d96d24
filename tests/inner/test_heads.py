"""Heads, and which nets have one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.inner.heads import HEADS, as_head, gives_logits
from tfmeta.learners import MAML
from tfmeta.nets import conv4, mlp, resnet12

Y = tf.constant([2, 0, 0, 2, 2])


def embeddings(seed: int = 0, n: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3))


def test_prototypes_give_negative_squared_distances_up_to_a_constant() -> None:
    z, queries = embeddings(), embeddings(1, 4)
    head = HEADS["prototypes"]
    params = head.start(tf.constant(z), Y)
    got = head.logits(tf.constant(queries), params).numpy()
    means = {0: z[[1, 2]].mean(0), 2: z[[0, 3, 4]].mean(0)}
    for row, query in zip(got, queries, strict=True):
        away = {c: -np.sum((query - mean) ** 2) for c, mean in means.items()}
        np.testing.assert_allclose(row[2] - row[0], away[2] - away[0], rtol=1e-10)
    assert head.way(3, Y) == 3 and head.shapes(3) == [(3, None), (None,)]


def test_zeros_have_no_opinion() -> None:
    head = HEADS["zeros"]
    params = head.start(tf.constant(embeddings()), Y)
    assert [p.shape.as_list() for p in params] == [[3, 3], [3]]
    assert not np.any(head.logits(tf.constant(embeddings()), params))


def test_the_nets_own_hands_its_outputs_on() -> None:
    head = HEADS["net"]
    z = tf.constant(embeddings())
    assert head.start(z, Y) == [] and head.logits(z, []) is z
    assert head.way(7, Y) == 7 and head.shapes(7) == []


def after(*layers, size: int = 4) -> keras.Model:
    return keras.Sequential([keras.Input((size,)), *layers])


def nested(inner: keras.Model) -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(inputs, inner(keras.layers.Dense(4)(inputs)))


def cast() -> keras.Model:
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3)(inputs)
    return keras.Model(inputs, keras.ops.cast(x, "float64"))


def two_branches() -> keras.Model:
    inputs = keras.Input((4,))
    parts = [keras.layers.Dense(3)(inputs) for _ in range(2)]
    return keras.Model(inputs, keras.layers.Add()(parts))


DENSE, LINEAR = keras.layers.Dense, keras.layers.Activation


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: conv4(way=5, filters=2), True),
        (lambda: conv4(filters=2), False),
        (lambda: conv4(filters=2, strided=True), False),
        (lambda: resnet12(way=5, filters=(2, 2, 2, 2), input_shape=(16, 16, 3)), True),
        (lambda: mlp(outputs=1), True),
        (lambda: mlp(), False),
        (lambda: after(DENSE(3)), True),
        (lambda: after(DENSE(3, activation="softmax")), False),
        (lambda: after(DENSE(3), LINEAR("linear", dtype="float32")), True),
        (lambda: after(DENSE(3), LINEAR("relu")), False),
        (lambda: after(DENSE(3), keras.layers.Dropout(0.1)), False),
        (lambda: after(DENSE(8), keras.layers.Reshape((2, 4))), False),
        (lambda: after(keras.layers.Flatten()), False),
        (cast, True),
        (two_branches, False),
        (lambda: nested(after(DENSE(3))), True),
        (lambda: nested(after(DENSE(3, activation="relu"))), False),
        (lambda: nested(nested(after(DENSE(3)))), True),
        (lambda: after(nested(after(DENSE(3))), LINEAR("linear")), True),
    ],
)
def test_outputs_are_logits_after_a_last_linear_layer(make, expected: bool) -> None:
    assert gives_logits(make()) is expected
    assert as_head(None, make()).name == ("net" if expected else "prototypes")
    assert as_head(None, make(), made="zeros").name == ("net" if expected else "zeros")


class Own(keras.Model):
    """A net that cannot be looked into."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def test_a_net_that_cannot_be_looked_into_counts_as_logits_with_a_warning() -> None:
    own = Own()
    own(np.zeros((2, 4)))
    with pytest.warns(UserWarning, match='cannot be looked into.*head="prototypes"'):
        assert MAML(own).max_way == 3
    assert MAML(own, head="prototypes").max_way is None  # Told: no warning.


def test_there_is_no_other_head() -> None:
    with pytest.raises(ValueError, match="net, prototypes, zeros.*Received: 'dense'"):
        as_head("dense", after(DENSE(3)))
