"""Each normalisation layer's forward pass against NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import BatchNorm, GroupNorm, LayerNorm

EPSILON = 1e-3


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


def _inputs(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(2.0, 3.0, size=shape)


def _randomise(layer: keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    layer.gamma.assign(rng.normal(size=layer.gamma.shape))
    layer.beta.assign(rng.normal(size=layer.beta.shape))
    return layer.gamma.numpy(), layer.beta.numpy()


def _standardise(values: np.ndarray) -> np.ndarray:
    flat = [float(v) for v in values.ravel()]
    mean = sum(flat) / len(flat)
    variance = sum((v - mean) ** 2 for v in flat) / len(flat)
    return (values - mean) / np.sqrt(variance + EPSILON)


@pytest.mark.parametrize("shape", [(7, 3), (3, 5, 4, 3)])
def test_batch_norm_matches_numpy(shape: tuple[int, ...]) -> None:
    x, layer = _inputs(*shape), BatchNorm()
    layer.build(shape)
    gamma, beta = _randomise(layer)
    expected = np.empty_like(x)
    for c in range(shape[-1]):
        expected[..., c] = _standardise(x[..., c]) * gamma[c] + beta[c]
    np.testing.assert_allclose(layer(x, training=True), expected, rtol=1e-9)


def test_batch_norm_axis_is_a_transposition() -> None:
    x = _inputs(3, 5, 4, 2)
    first, last = BatchNorm(axis=1), BatchNorm()
    expected = last(np.moveaxis(x, 1, -1), training=True)
    got = first(x, training=True)
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), expected, rtol=1e-10)
    got, expected = first(x), last(np.moveaxis(x, 1, -1))
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), expected, rtol=1e-10)


def test_batch_norm_mask_leaves_positions_out() -> None:
    x = _inputs(2, 5, 3)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], bool)
    got = BatchNorm()(x, training=True, mask=mask).numpy()
    expected = BatchNorm()(x[mask], training=True)
    np.testing.assert_allclose(got[mask], expected, rtol=1e-9)


def test_batch_norm_unused_changes_only_by_epsilon() -> None:
    x = _inputs(4, 3)
    np.testing.assert_allclose(BatchNorm()(x), x / np.sqrt(1 + EPSILON), rtol=1e-12)


def test_batch_norm_after_one_batch_infers_with_exactly_its_statistics() -> None:
    x, layer = _inputs(6, 3), BatchNorm()
    np.testing.assert_allclose(layer(x, training=True), layer(x), rtol=1e-9)


def test_batch_norm_averages_with_the_weight_it_was_given() -> None:
    first, second, layer = _inputs(6, 3), 5 - _inputs(8, 3), BatchNorm(momentum=0.75)
    layer(first, training=True)
    layer(second, training=True)
    # 0.25 of the second batch, 0.75 * 0.25 of the first; together 0.4375.
    mean = (0.25 * second.mean(0) + 0.1875 * first.mean(0)) / 0.4375
    variance = (0.25 * second.var(0) + 0.1875 * first.var(0)) / 0.4375
    assert float(layer.weight) == pytest.approx(0.4375)
    expected = (first - mean) / np.sqrt(variance + EPSILON)
    np.testing.assert_allclose(layer(first), expected, rtol=1e-9)


def test_batch_norm_frozen_uses_its_averages() -> None:
    x, layer = _inputs(6, 3), BatchNorm()
    layer(x, training=True)
    layer.trainable = False
    other = 3 * x[:4] - 1
    np.testing.assert_allclose(layer(other, training=True), layer(other))


@pytest.mark.parametrize("axis", [-1, (1, 3), 2])
def test_layer_norm_matches_numpy(axis: int | tuple[int, ...]) -> None:
    x, layer = _inputs(3, 5, 4, 7), LayerNorm(axis=axis)
    layer.build(x.shape)
    gamma, beta = _randomise(layer)
    axes = {a % 4 for a in ([axis] if isinstance(axis, int) else axis)}
    expected = np.empty_like(x)
    for where in np.ndindex(*(1 if i in axes else n for i, n in enumerate(x.shape))):
        part = tuple(slice(None) if i in axes else where[i] for i in range(4))
        expected[part] = _standardise(x[part]) * gamma + beta
    np.testing.assert_allclose(layer(x), expected, rtol=1e-9)


@pytest.mark.parametrize(("groups", "size"), [(1, 6), (2, 3), (-1, 1)])
def test_group_norm_matches_numpy(groups: int, size: int) -> None:
    x, layer = _inputs(3, 5, 4, 6), GroupNorm(groups=groups)
    layer.build(x.shape)
    gamma, beta = _randomise(layer)
    expected = np.empty_like(x)
    for n in range(3):
        for start in range(0, 6, size):
            part = (n, ..., slice(start, start + size))
            expected[part] = _standardise(x[part])
    np.testing.assert_allclose(layer(x), expected * gamma + beta, rtol=1e-9)


def test_group_norm_axis_is_a_transposition() -> None:
    x = _inputs(3, 6, 5, 4)
    expected = GroupNorm(groups=3)(np.moveaxis(x, 1, -1))
    got = GroupNorm(groups=3, axis=1)(x)
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), expected, rtol=1e-10)


LAYERS = [
    BatchNorm(momentum=0.5, epsilon=1e-5, scale=False, axis=1, name="norm"),
    LayerNorm(axis=[1, 2], epsilon=1e-5, center=False, name="norm"),
    GroupNorm(groups=3, epsilon=1e-5, center=False, name="norm"),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_config_round_trip(layer: keras.layers.Layer, tmp_path) -> None:
    config = layer.get_config()
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(again) is type(layer)
    assert again.get_config() == config
    net = keras.Sequential([keras.Input((4, 6)), again])
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    x = _inputs(5, 4, 6)
    np.testing.assert_allclose(loaded(x, training=True), net(x, training=True))


def _group_norm(**options) -> GroupNorm:
    return GroupNorm(groups=2, **options)


@pytest.mark.parametrize("make", [BatchNorm, LayerNorm, _group_norm])
def test_half_precision_keeps_statistics_in_float32(make) -> None:
    x = tf.constant(1000 + _inputs(64, 4), tf.float16)
    half = make(dtype="mixed_float16")(x, **_training(make))
    full = make(dtype="float32")(tf.cast(x, tf.float32), **_training(make))
    assert half.dtype == tf.float16
    np.testing.assert_allclose(tf.cast(half, tf.float32), full, atol=2e-3)


def _training(make) -> dict[str, bool]:
    return {"training": True} if make is BatchNorm else {}


def test_unknown_batch_and_sizes_are_allowed() -> None:
    inputs = keras.Input((None, None, 4))
    x = GroupNorm(groups=2)(LayerNorm()(BatchNorm()(inputs)))
    assert keras.Model(inputs, x)(_inputs(2, 3, 5, 4)).shape == (2, 3, 5, 4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BatchNorm(momentum=1.0), "momentum must be .* momentum=1.0"),
        (lambda: BatchNorm(epsilon=0.0), "epsilon must be positive"),
        (lambda: GroupNorm(groups=0), "groups must be a positive number"),
        (lambda: GroupNorm(groups=4).build((None, 6)), "groups must divide"),
        (lambda: GroupNorm(groups=1, axis=0).build((4, 6)), "not the batch axis"),
        (lambda: LayerNorm(axis=3).build((None, 6)), "axis=3 must name"),
        (lambda: BatchNorm().build((None, None)), "axis=-1 must name"),
    ],
)
def test_bad_options_are_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
