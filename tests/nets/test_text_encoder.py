"""Encoders of texts: by hand, blind to padding, exact to second order."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import Examples, Options
from tfmeta.layers import check_exact
from tfmeta.learners import MAML, FromScratch
from tfmeta.nets import fresh, text_encoder

KINDS = ("mean", "bag", "conv", "transformer")
TEXTS = np.int32([[3, 1, 4, 1, 0, 0], [5, 2, 0, 0, 0, 0], [6, 5, 4, 3, 2, 1]])


def net(kind: str, length: int = 6, **options) -> keras.Model:
    options = {"width": 4, "heads": 2, "windows": (2, 3), **options}
    made = text_encoder(vocabulary=7, length=length, kind=kind, **options)
    return fresh(made, seed=2)


def weights(made: keras.Model) -> dict[str, np.ndarray]:
    return {v.path.split("/", 1)[-1]: v.numpy() for v in made.weights}


def test_the_mean_is_weighted_by_idf() -> None:
    idf = np.array([0.0, 2.0, 1.0, 1.5, 3.0, 1.0, 1.0])
    made = net("mean", idf=idf)
    vectors = made.get_layer("embedding").embeddings.numpy()
    wanted = (1.5 * vectors[3] + 2 * 2.0 * vectors[1] + 3.0 * vectors[4]) / 8.5
    np.testing.assert_allclose(made(TEXTS)[0], wanted, rtol=1e-5)
    assert made.get_layer("weights").trainable
    plain = net("mean", weighted=False)
    vectors = plain.get_layer("embedding").embeddings.numpy()
    wanted = (vectors[5] + vectors[2]) / 2
    np.testing.assert_allclose(plain(TEXTS)[1], wanted, rtol=1e-5)
    np.testing.assert_allclose(net("mean")(TEXTS)[1], wanted, rtol=1e-5)


@pytest.mark.parametrize(("weighted", "radius"), [(True, 1.0), (False, 3.0)])
def test_a_bag_by_hand(weighted: bool, radius: float) -> None:
    """Counts and weights of tokens 3, 1 and 4, and what they share, times 100."""
    idf = np.array([0.0, 2.0, 1.0, 1.5, 3.0, 1.0, 1.0])
    made = net("bag", idf=idf, weighted=weighted, radius=radius)
    shared = made.get_layer("shared").kernel
    shared.assign(100 * shared.value)
    bag = np.zeros(7)
    first = (idf - 1) ** 2 if weighted else np.ones(7)
    bag[[3, 1, 4]] = first[[3, 1, 4]] * [1, 1 + np.log(2), 1]
    bag *= radius / np.linalg.norm(bag)
    wanted = np.concatenate([bag, bag @ shared.numpy()])
    np.testing.assert_allclose(made(TEXTS)[0], wanted, rtol=1e-4, atol=1e-6)
    assert made.get_layer("weights").trainable == weighted
    assert made.output_shape == (None, 11)


def test_convolutions_by_hand() -> None:
    made = net("conv", windows=(3,))
    vectors = made.get_layer("embedding").embeddings.numpy()
    kernel, bias = made.get_layer("window3").get_weights()
    shown = np.zeros((4, 4))
    shown[1:3] = vectors[[5, 2]]
    rows = [sum(shown[i + k] @ kernel[k] for k in range(3)) for i in range(2)]
    wanted = np.maximum(np.array(rows) + bias, 0).max(0)
    np.testing.assert_allclose(made(TEXTS)[1], wanted, rtol=1e-5)


def standardised(x: np.ndarray, epsilon: float) -> np.ndarray:
    middle, spread = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - middle) / np.sqrt(spread + epsilon)


def test_a_transformer_by_hand() -> None:
    made = net("transformer", blocks=1, heads=1)
    w = {
        layer.name: layer.get_weights() for layer in made.layers if layer.get_weights()
    }
    epsilon = made.get_layer("norm").epsilon
    place = np.arange(4)[:, None] * np.array([1.0, 10_000.0**-0.5])
    x = w["embedding"][0][TEXTS[0, :4]]
    x = x + np.concatenate([np.sin(place), np.cos(place)], 1)
    shown = standardised(x, epsilon)
    query, key, value, out = (
        (w["attention1"][i], w["attention1"][i + 1]) for i in range(0, 8, 2)
    )
    q, k, v = (shown @ m[:, 0] + b[0] for m, b in (query, key, value))
    scores = np.exp(q @ k.T / 2)
    shares = scores / scores.sum(-1, keepdims=True)
    x = x + shares @ v @ out[0][0] + out[1]
    inner = standardised(x, epsilon) @ w["wide1"][0] + w["wide1"][1]
    x = x + np.maximum(inner, 0) @ w["narrow1"][0] + w["narrow1"][1]
    wanted = standardised(x, epsilon).mean(0)
    np.testing.assert_allclose(made(TEXTS)[0], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_more_padding_changes_nothing(kind: str) -> None:
    short, long = net(kind, way=3), net(kind, length=11, way=3)
    long.set_weights(short.get_weights())
    for v in (short, long):  # So that padding would show.
        bag = kind == "bag"
        named = v.get_layer("shared" if bag else "embedding")
        table = named.kernel if bag else named.embeddings
        table.assign(tf.tensor_scatter_nd_update(table.value, [[0]], [[9.0] * 4]))
    padded = np.pad(TEXTS, [(0, 0), (0, 5)])
    np.testing.assert_allclose(long(padded), short(TEXTS), rtol=1e-4, atol=1e-5)
    assert np.ptp(short(TEXTS).numpy(), axis=0).min() > 1e-3
    none = short(np.zeros((2, 6), np.int32)).numpy()
    assert np.isfinite(none).all() and np.array_equal(none[0], none[1])


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_are_those_of_central_differences(kind: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        made = net(kind, way=3, blocks=1)
    finally:
        keras.config.set_dtype_policy(before)
    check_exact(made)
    draws = np.random.default_rng(0)
    for v in made.trainable_variables:
        v.assign(v.numpy() + 0.1 * draws.normal(size=v.shape))
    start = [v.numpy() for v in made.trainable_variables]
    along = [draws.normal(size=v.shape) for v in start]

    def steepness(shift: float) -> tuple[tf.Tensor, list]:
        for v, at, way in zip(made.trainable_variables, start, along, strict=True):
            v.assign(at + shift * way)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                logits = made(TEXTS)
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits([0, 1, 2], logits)
                )
            found = tape.gradient(loss, [v.value for v in made.trainable_variables])
            total = tf.add_n(
                [tf.reduce_sum(tf.convert_to_tensor(g) ** 2) for g in found]
            )
        return total, outer.gradient(total, [v.value for v in made.trainable_variables])

    assert made(TEXTS).dtype == tf.float64
    _, gradients = steepness(0.0)
    slope = sum(
        float(tf.reduce_sum(tf.convert_to_tensor(g) * way))
        for g, way in zip(gradients, along, strict=True)
        if g is not None
    )
    step = 1e-6
    measured = (float(steepness(step)[0]) - float(steepness(-step)[0])) / (2 * step)
    assert slope == pytest.approx(measured, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_of_a_text_without_tokens(kind: str) -> None:
    made = net(kind, way=3, blocks=1)
    texts = np.concatenate([TEXTS[:2], 0 * TEXTS[:1]])
    variables = [v.value for v in made.trainable_variables]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(made(texts) ** 2)
        found = [g for g in tape.gradient(loss, variables) if g is not None]
        total = tf.add_n([tf.reduce_sum(tf.convert_to_tensor(g) ** 2) for g in found])
    for gradient in outer.gradient(total, variables):
        assert gradient is None or np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_made_again_from_its_config(kind: str, tmp_path) -> None:
    idf = np.linspace(0, 3, 7)
    made = net(kind, way=2, idf=idf)
    made.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(again(TEXTS), made(TEXTS), rtol=1e-6)
    assert made.layers[-1].name == "head" and made.output_shape == (None, 2)
    if kind == "mean":  # New weights start at the IDF too.
        first = FromScratch(made, seed=5).net.get_layer("weights").embeddings.numpy()
        np.testing.assert_allclose(first[1:, 0], np.log(idf[1:]), atol=1e-4)


def test_dropout_leaves_out_whole_tokens() -> None:
    made = net("mean", weighted=False, dropout=0.5)
    vectors = made.get_layer("embedding").embeddings.numpy()
    np.testing.assert_allclose(made(TEXTS)[1], vectors[[5, 2]].mean(0), rtol=1e-5)
    drawn = np.array([made(TEXTS[1:2], training=True)[0] for _ in range(60)])
    held = [2 * vectors[list(ids)].sum(0) / 2 for ids in ([], [5], [2], [5, 2])]
    place = np.abs(drawn[:, None] - np.array(held)).max(-1).argmin(-1)
    np.testing.assert_allclose(drawn, np.array(held)[place], atol=1e-6)
    assert set(place) == {0, 1, 2, 3}


def test_dropout_leaves_out_words_of_a_bag() -> None:
    made = net("bag", dropout=0.5)
    drawn = np.array([made(TEXTS[1:2], training=True)[0, :7] for _ in range(60)])
    held = {tuple(np.flatnonzero(row)) for row in drawn}
    assert held == {(), (2,), (5,), (2, 5)}
    lengths = np.linalg.norm(drawn, axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1, rtol=1e-5)


def test_it_adapts_by_gradient() -> None:
    learner = MAML(net("transformer", way=3), inner_steps=5, inner_lr=0.5)
    support = Examples(tf.constant(TEXTS), tf.constant([0, 1, 2]))
    adapted = learner.adapt(support, Options())
    logits = learner.predict(adapted, support.x, Options())
    assert np.argmax(logits, -1).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kind": "sum"},
            "kind must be one of mean, bag, conv, transformer. Received: 'sum'",
        ),
        ({"width": 0}, "width must be at least 1. Received: 0"),
        ({"windows": ()}, "windows must be at least 1"),
        ({"way": 0}, "way must be at least 1"),
        ({"kind": "transformer", "heads": 3}, "heads must divide width=4"),
        ({"radius": 0.0}, "radius must be above 0. Received: 0.0"),
        ({"dropout": 1.0}, "dropout must be in 0..1, below 1"),
        ({"idf": [1.0, 2.0]}, "number for each of the 7 tokens. Received: 2 numbers"),
    ],
)
def test_what_cannot_be_built(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        net(**{"kind": "mean", **options})
