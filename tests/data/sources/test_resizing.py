"""Pools of pictures in another size."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.data.pictures.fit import fit_image
from tfmeta.data.sources.arrays import array_pools
from tfmeta.data.sources.resizing import resized

Y = np.repeat(np.arange(10), 3)


def images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_the_pictures_of_a_pool_are_fitted():
    pool = array_pools(images(30, 8, 8, 3), Y)
    fitted = resized(pool, size=4, channels=1)
    assert fitted.store.shape == (4, 4, 1) and fitted.store.place == "memory"
    assert fitted.prepare.pictures.shape == (4, 4, 1)
    np.testing.assert_array_equal(fitted.groups, pool.groups)
    expected = fit_image(pool.store.x, size=4, channels=1)
    np.testing.assert_array_equal(fitted.store.x, expected)
    assert resized(pool) is pool


def test_the_pools_of_three_parts_are_fitted():
    pools = array_pools([images(10, 8, 8, 3)] * 3, [Y[:10], Y[10:20], Y[20:]])
    fitted = resized(pools, size=4)
    assert {pool.store.shape for pool in fitted.values()} == {(4, 4, 3)}


def test_what_is_no_image_is_refused():
    pool = array_pools(np.zeros((30, 5)), Y)
    with pytest.raises(ValueError, match="need uint8 images"):
        resized(pool, size=4)
    nest = array_pools({"image": images(30, 8, 8, 1)}, Y)
    with pytest.raises(ValueError, match="need uint8 images.*'image'"):
        resized(nest, size=4)
    with pytest.raises(ValueError, match="channels must be 1 or 3. Received: 2"):
        resized(pool, channels=2)
    with pytest.raises(ValueError, match="image_size must be at least 1"):
        resized(pool, size=0)
