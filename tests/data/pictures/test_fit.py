from __future__ import annotations

import numpy as np
import pytest

from tfmeta.data import from_arrays
from tfmeta.data.pictures.fit import fit_image, fit_source


def images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_resizing_averages_areas():
    x = images(3, 6, 6, 2)
    expected = np.zeros((3, 2, 2, 2))
    for row in range(2):
        for column in range(2):
            block = x[:, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            expected[:, row, column] = block.mean(axis=(1, 2))
    fitted = fit_image(x, size=2).numpy()
    assert fitted.dtype == np.uint8
    assert np.abs(fitted - expected).max() <= 0.5 + 1e-4
    np.testing.assert_array_equal(fit_image(x[0], size=2), fitted[0])


def test_a_thin_stroke_does_not_break_up():
    x = np.zeros((105, 105, 1), np.uint8)
    x[:, 50:52] = 255
    fitted = fit_image(x, size=28).numpy()
    assert fitted.sum(axis=1).min() > 100
    assert fitted.sum(axis=1).max() < 200


def test_channels():
    x = images(2, 4, 4, 3)
    grey = fit_image(x, channels=1).numpy()
    expected = x @ [0.2989, 0.587, 0.114]
    assert np.abs(grey[..., 0] - expected).max() <= 1
    colour = fit_image(grey, channels=3).numpy()
    np.testing.assert_array_equal(colour, np.repeat(grey, 3, axis=-1))
    np.testing.assert_array_equal(fit_image(x, channels=3), x)


def test_a_source_is_fitted():
    y = np.repeat(np.arange(10), 3)
    source = from_arrays(images(30, 8, 8, 3), y)
    fitted = fit_source(source, size=4, channels=1)
    assert fitted.test.example_shape == (4, 4, 1)
    np.testing.assert_array_equal(fitted.val.y, source.val.y)
    expected = fit_image(source.val.x, size=4, channels=1)
    np.testing.assert_array_equal(fitted.val.x, expected)
    assert fit_source(source) is source


def test_what_is_no_image_is_refused():
    source = from_arrays(np.zeros((30, 5)), np.repeat(np.arange(10), 3))
    with pytest.raises(ValueError, match="need uint8 images"):
        fit_source(source, size=4)
    nest = from_arrays({"image": images(30, 8, 8, 1)}, np.repeat(np.arange(10), 3))
    with pytest.raises(ValueError, match="need uint8 images.*'image'"):
        fit_source(nest, size=4)
    with pytest.raises(ValueError, match="channels must be 1 or 3. Received: 2"):
        fit_source(source, channels=2)
    with pytest.raises(ValueError, match="image_size must be at least 1"):
        fit_source(source, size=0)
