"""The built-in source `glyphs` and the contact sheet."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from tfmeta.data.contact_sheet import contact_sheet
from tfmeta.data.glyphs import pen
from tfmeta.data.glyphs.glyphs import glyphs
from tfmeta.data.split import Split

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def source():
    return glyphs()


def by_class(split: Split) -> np.ndarray:
    return split.x.reshape(split.num_classes, 20, 28, 28)


def test_counts_types_and_names(source):
    sizes = {name: getattr(source, name).num_classes for name in SPLITS}
    assert sizes == {"train": 415, "val": 109, "test": 128}
    for name in SPLITS:
        split = getattr(source, name)
        assert split.x.dtype == np.uint8
        assert split.x.shape == (20 * split.num_classes, 28, 28, 1)
        assert np.all(split.counts == 20)
    assert source.name == "glyphs"
    assert source.train.class_names[:2] == (
        "alphabet01/character01",
        "alphabet01/character02",
    )


def test_no_alphabet_is_in_two_splits(source):
    alphabets = [
        {n.split("/")[0] for n in getattr(source, name).class_names} for name in SPLITS
    ]
    assert [len(a) for a in alphabets] == [19, 5, 6]
    assert len(set.union(*alphabets)) == 30


def test_the_bytes_are_these_for_seed_0(source):
    # zlib.crc32(glyphs().train.x), and so on.
    sums = {name: zlib.crc32(getattr(source, name).x) for name in SPLITS}
    assert sums == {"train": 4208161503, "val": 1277843460, "test": 585438759}


def test_another_seed_gives_other_drawings(source):
    other = glyphs(seed=1)
    assert other.train.class_names == source.train.class_names
    same = np.all(other.train.x == source.train.x, axis=(1, 2, 3))
    assert not same.any()


def test_ink_is_bright_thin_and_never_missing(source):
    for name in SPLITS:
        x = getattr(source, name).x
        ink = x.mean(axis=(1, 2, 3)) / 255
        assert 0.07 < ink.mean() < 0.12
        assert ink.min() > 0.005 and ink.max() < 0.4
        assert np.all(x.max(axis=(1, 2, 3)) > 200)
        # Strokes seldom run out of the picture.
        border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
        assert np.mean(border > 127) < 0.02


def test_no_two_drawings_are_the_same(source):
    x = np.concatenate([getattr(source, name).x for name in SPLITS])
    assert len({drawing.tobytes() for drawing in x}) == len(x)


def test_drawers_differ_and_keep_their_pen(source):
    names = [n.split("/")[0] for n in source.train.class_names]
    x = by_class(source.train).astype(np.float64) / 255
    # Grey pixels are the outline: ink over outline grows with the pen's thickness.
    thickness = x.sum((2, 3)) / ((x > 0.02) & (x < 0.98)).sum((2, 3))
    apart = []
    for alphabet in sorted(set(names)):
        own = thickness[[n == alphabet for n in names]]
        half = len(own) // 2
        apart.append(np.corrcoef(own[:half].mean(0), own[half:].mean(0))[0, 1])
    assert np.median(apart) > 0.8


def test_classes_are_closer_to_themselves_than_to_others(source):
    """5-way 1-shot nearest neighbours on pixels: hard, as Omniglot, but no chance."""
    x = by_class(source.test).reshape(-1, 20, 784).astype(np.float32) / 255
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(400):
        five = rng.choice(len(x), 5, replace=False)
        a, b = rng.choice(20, 2, replace=False)
        apart = ((x[five, a][:, None] - x[five, b][None]) ** 2).sum(-1)
        hits.append(np.mean(apart.argmin(0) == np.arange(5)))
    assert 0.38 < np.mean(hits) < 0.6


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0"])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be an integer"):
        glyphs(seed=seed)


def test_curves_go_through_their_control_points():
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
    line, spline = pen.curve_bases(3, False, 3) @ points
    middle = len(line) // 2
    for curve in (line, spline):
        np.testing.assert_allclose(curve[[0, middle, -1]], points, atol=1e-12)
    np.testing.assert_allclose(line[middle // 2], (0.5, 1.0), atol=1e-12)


def test_pen_positions_are_equally_spaced_and_skip_the_gaps():
    # Two horizontal strokes of length 3 and 1, the third is not there.
    curves = np.full((1, 3, 4, 2), np.nan)
    curves[0, 0] = [(0, 0), (1, 0), (2, 0), (3, 0)]
    curves[0, 1] = [(9, 5), (9.5, 5), (9.75, 5), (10, 5)]
    x, y = pen.along_ink(curves)[0].T
    n = len(x)
    expected = (np.arange(n) + 0.5) * 4 / n
    expected = np.where(expected < 3, expected, expected + 6)
    np.testing.assert_allclose(x, expected, atol=1e-9)
    np.testing.assert_array_equal(y, np.where(x < 5, 0, 5))


def test_ink_follows_from_the_distance_to_the_pen():
    rng = np.random.default_rng(0)
    positions = np.round(rng.uniform(1, 27, (3, 7, 2)) * 64) / 64
    radius = np.array([0.5, 1.0, 1.375])
    centres = np.arange(28) + 0.5
    dx = centres[None, None, None, :] - positions[:, :, 0, None, None]
    dy = centres[None, None, :, None] - positions[:, :, 1, None, None]
    nearest = np.sqrt(dx**2 + dy**2).min(axis=1)
    ink = np.clip(radius[:, None, None] + 0.5 - nearest, 0, 1) * 255
    np.testing.assert_allclose(pen.draw(positions, radius), ink, atol=0.51)


def test_ink_outside_the_picture_is_cut_off():
    positions = np.array([[(-50.0, 14.0), (14.0, 90.0)]])
    assert not pen.draw(positions, np.array([1.0])).any()


def test_contact_sheet_shows_classes_as_rows(source):
    sheet = contact_sheet(source.val, classes=3, drawings=4)
    assert sheet.dtype == np.uint8 and sheet.shape == (2 + 3 * 30, 2 + 4 * 30)
    second = source.val.num_classes // 3
    example = source.val.x[source.val.starts[second] + 3, ..., 0]
    np.testing.assert_array_equal(sheet[32:60, 92:120], example)


def test_contact_sheet_refuses_what_it_cannot_show(source):
    with pytest.raises(ValueError, match=r"classes must be in 1\.\.109"):
        contact_sheet(source.val, classes=110)
    with pytest.raises(ValueError, match=r"drawings must be in 1\.\.20"):
        contact_sheet(source.val, drawings=21)
    floats = Split("val", np.zeros((2, 3)), np.array([0, 1]), ("a", "b"))
    with pytest.raises(ValueError, match="needs uint8 images"):
        contact_sheet(floats, classes=1, drawings=1)
