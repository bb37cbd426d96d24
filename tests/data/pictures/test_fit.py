from __future__ import annotations

import numpy as np

from tfmeta.data.pictures.fit import fit_image


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
