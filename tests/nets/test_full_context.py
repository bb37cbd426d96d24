"""Full context embeddings against the paper's recursion, the dumb way."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.nets.full_context import FullContext

FEATURES = 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell(weights, x, h, c):
    kernel, recurrent, bias = weights
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def chain(weights, rows):
    h, c, out = np.zeros(FEATURES), np.zeros(FEATURES), []
    for row in rows:
        h, c = cell(weights, row, h, c)
        out.append(h)
    return out


def test_support_and_query_follow_the_paper() -> None:
    layer = FullContext(FEATURES, reads=3, seed=7)
    draws = np.random.default_rng(0)
    z, q = draws.normal(size=(5, FEATURES)), draws.normal(size=(3, FEATURES))
    g = layer.support(tf.constant(z, tf.float32)).numpy()
    ahead = chain(layer.forwards.get_weights(), z)
    back = chain(layer.backwards.get_weights(), z[::-1])[::-1]
    np.testing.assert_allclose(g, z + ahead + back, atol=1e-5)

    found = layer.query(tf.constant(q, tf.float32), tf.constant(g)).numpy()
    weights = [w.numpy() for w in layer.reader.trainable_variables]
    for one, expected in zip(q, found, strict=True):
        h = c = np.zeros(FEATURES)
        for _ in range(3):
            a = np.exp(g @ h - (g @ h).max())
            r = (a / a.sum()) @ g
            out, c = cell(weights, np.concatenate([one, r]), h, c)
            h = out + one
        np.testing.assert_allclose(expected, h, atol=1e-5)


def test_the_seed_draws_the_weights() -> None:
    one, same, other = (FullContext(FEATURES, seed=d) for d in (1, 1, 2))
    for a, b, c in zip(
        one.trainable_variables,
        same.trainable_variables,
        other.trainable_variables,
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
        assert a.shape[0] == 4 * FEATURES or not np.array_equal(a, c)  # Biases alike.
