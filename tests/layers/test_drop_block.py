"""Which patches drop-block drops, how many, and from which seed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import DropBlock


def dropped(shape: tuple[int, ...], **options) -> np.ndarray:
    """Where a layer has put zeros."""
    layer = DropBlock(**{"seed": 1, **options})
    return layer(tf.ones(shape), training=True).numpy() == 0


def test_zeros_are_whole_patches() -> None:
    zeros = dropped((20, 9, 7, 3), rate=0.15, block_size=3)
    covered = np.zeros_like(zeros)
    for i in range(7):
        for j in range(5):
            whole = zeros[:, i : i + 3, j : j + 3].all((1, 2))
            covered[:, i : i + 3, j : j + 3] |= whole[:, None, None]
    assert 0 < zeros.mean() < 1
    np.testing.assert_array_equal(zeros, covered)


@pytest.mark.parametrize(("size", "block"), [(10, 1), (10, 3), (5, 5), (3, 5)])
def test_about_the_rate_is_dropped(size: int, block: int) -> None:
    zeros = dropped((2000, size, size, 2), rate=0.1, block_size=block)
    # Patches that overlap drop a little less.
    assert 0.08 < zeros.mean() < 0.115
    if block >= size:
        assert set(zeros.mean((1, 2)).ravel()) == {0.0, 1.0}


def test_what_is_kept_is_scaled_alike() -> None:
    x = np.random.default_rng(0).random((6, 8, 8, 2), "float32") + 1
    y = DropBlock(rate=0.3, block_size=3, seed=5)(x, training=True).numpy()
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / kept.mean(), rtol=1e-5)


def test_all_dropped_is_zero_and_no_nan() -> None:
    layer = DropBlock(rate=0.999, block_size=2, seed=0)
    y = layer(tf.ones((1, 2, 2, 1)), training=True).numpy()
    assert (y == 0).all()


def test_it_is_off_outside_training() -> None:
    x = tf.ones((2, 4, 4, 1))
    assert DropBlock(rate=0.5)(x) is x
    assert DropBlock(rate=0.0)(x, training=True) is x
    assert not DropBlock(rate=0.0).variables


def test_the_seed_state_says_which() -> None:
    x, layer = tf.ones((4, 6, 6, 2)), DropBlock(rate=0.3, block_size=2, seed=9)
    state = [v.value for v in layer.non_trainable_variables]
    first, after = layer.stateless_call([], state, x, training=True)
    again, _ = layer.stateless_call([], state, x, training=True)
    other, _ = layer.stateless_call([], after, x, training=True)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    twin = DropBlock.from_config(layer.get_config())
    np.testing.assert_array_equal(twin(x, training=True), first)


def test_it_keeps_float64_and_unknown_batch_sizes() -> None:
    layer = DropBlock(rate=0.3, block_size=2, dtype="float64")

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 4, 2), tf.float64)])
    def graph(x):
        return layer(x, training=True)

    assert graph(tf.ones((3, 4, 4, 2), tf.float64)).dtype == tf.float64


@pytest.mark.parametrize(("rate", "block"), [(1.0, 5), (-0.1, 5), (0.1, 0)])
def test_bad_options_are_refused(rate: float, block: int) -> None:
    with pytest.raises(ValueError, match=f"rate={rate}, block_size={block}"):
        DropBlock(rate=rate, block_size=block)


def test_it_rebuilds_from_its_name() -> None:
    layer = DropBlock(rate=0.2, block_size=3, name="drop")
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert (copy.rate, copy.block_size, copy.name) == (0.2, 3, "drop")
