"""Augmented episodes: little changes, the same whenever an episode is drawn again."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfmeta.core.keys import key
from tfmeta.data import (
    Split,
    crops_and_colours,
    episodes,
    flips_and_shifts,
    small_moves,
)
from tfmeta.data.pipeline.augmentation import Augmentation


@pytest.fixture(scope="module")
def split() -> Split:
    draws = np.random.default_rng(0)
    x = np.zeros((40, 12, 12, 1), np.uint8)
    x[:, 4:8, 4:8] = draws.integers(100, 256, (40, 4, 4, 1))
    return Split(
        "train", x, np.repeat(np.arange(8, dtype=np.int32), 5), tuple("abcdefgh")
    )


def drawn(split: Split, **options) -> list[np.ndarray]:
    stream = episodes(split, way=3, shot=1, query=2, **options)
    parts = [(x["support_x"].numpy(), x["query_x"].numpy()) for x, _ in stream]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def test_the_same_episode_is_changed_the_same_way(split: Split) -> None:
    whole = drawn(split, tasks=3, count=6, augment=small_moves())
    parts = drawn(split, tasks=2, start=2, count=4, augment=small_moves())
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a[2:], b)


def test_examples_change_a_little_each_in_its_own_way(split: Split) -> None:
    plain = drawn(split, tasks=2, count=40)
    moved = drawn(split, tasks=2, count=40, augment=small_moves())
    for a, b in zip(plain, moved, strict=True):
        assert a.shape == b.shape and b.dtype == np.uint8
        assert not np.array_equal(a, b)
        assert 0.5 < b.sum(dtype=float) / a.sum(dtype=float) < 1.5
        shifts = np.array([centre(image) for image in b.reshape(-1, 12, 12)])
        assert len(np.unique(shifts.round(4), axis=0)) > 0.9 * len(shifts)
        assert np.abs(shifts - 5.5).max() < 3


def centre(image: np.ndarray) -> np.ndarray:
    """The centre of an image's mass, in pixels."""
    places = np.stack(np.meshgrid(range(12), range(12), indexing="ij"), -1)
    return (places * image[..., None]).sum((0, 1)) / image.sum()


def test_a_warp_pulls_a_corner_as_far_as_is_said() -> None:
    images = np.zeros((300, 41, 41, 1), np.uint8)
    images[:, 28:31, 28:31] = 255
    still = small_moves(turn=0.0, shift=0.0, zoom=0.0, warp=0.2)
    moved = Augmentation(still)(images, key(0, "test", 0)).numpy()
    places = np.stack(np.meshgrid(range(41), range(41), indexing="ij"), -1)
    mass = moved.astype(float)
    middles = (places * mass).sum((1, 2)) / mass.sum((1, 2))
    # The corner at 40 moves by up to 8 pixels, what is nearer to the middle by less.
    least, most = middles.min(0) - 29, middles.max(0) - 29
    assert np.all((-8 < least) & (least < -4) & (4 < most) & (most < 8))
    assert abs(np.corrcoef(middles.T)[0, 1]) < 0.5  # Not along the diagonal alone.


@pytest.mark.parametrize("warp", [-0.1, 0.6])
def test_a_warp_out_of_range_is_refused(warp: float) -> None:
    with pytest.raises(ValueError, match=f"from 0 to 0.5. Received: {warp}"):
        small_moves(warp=warp)


def test_another_seed_is_another_change(split: Split) -> None:
    one = drawn(split, tasks=1, count=2, seed=0, augment=small_moves())
    other = drawn(split, tasks=1, count=2, seed=1, augment=small_moves())
    assert not np.array_equal(one[0], other[0])


def test_neighbouring_episodes_and_layers_share_no_draw() -> None:
    """Two alike layers of two neighbouring episodes move an image in four ways."""
    image = np.zeros((1, 1, 64, 1), np.float32)
    image[..., 32, 0] = 1
    moves = []
    for places in ((0,), (1,)):
        layers = [keras.layers.RandomTranslation(0, 0.4) for _ in range(2)]
        for kept in range(2):
            # The layer that is not kept stands still, but keeps its place.
            pair = [
                layer if place == kept else keras.layers.RandomTranslation(0, 0)
                for place, layer in enumerate(layers)
            ]
            augmentation = Augmentation(keras.Sequential(pair))
            moved = augmentation(image, key(0, "augment/support", places[0]))
            moves.append(np.sum(moved.numpy()[0, 0, :, 0] * np.arange(64)))
    assert len(np.unique(np.round(moves, 4))) == 4


def test_support_and_query_sets_change_on_their_own(split: Split) -> None:
    white = np.zeros_like(split.x)
    white[:, 6, 6] = 255
    same = Split("train", white, split.y, split.class_names)
    support, query = drawn(same, tasks=2, count=20, augment=small_moves())
    alike = np.equal(support[:, :1], query[:, :1]).all(axis=(1, 2, 3, 4))
    assert not alike.any()


def test_only_what_a_layer_draws_from_is_changed() -> None:
    normal = keras.layers.Normalization()
    normal.adapt(np.float32([[[[-1.0, 0.0]]], [[[3.0, 4.0]]]]))  # variances of 4
    augmentation = Augmentation(keras.Sequential([normal]))
    done = augmentation(np.ones((1, 2, 2, 2), np.float32), key(0, "augment", 0))
    np.testing.assert_allclose(done[0, 0, 0], [0.0, -0.5])


def test_what_is_no_image_is_refused() -> None:
    x = {"a": np.zeros((4, 2)), "b": np.zeros((4, 2)), "c": np.zeros((4, 2))}
    nest = Split("train", x, np.repeat([0, 1], 2), ("a", "b"))
    with pytest.raises(ValueError, match="augment changes images.*'a'"):
        episodes(nest, way=2, shot=1, query=1, augment=small_moves())


def test_flips_mirror_half_of_the_images(split: Split) -> None:
    plain = drawn(split, tasks=2, count=40)[0].reshape(-1, 12, 12)
    flipped = drawn(split, tasks=2, count=40, augment=flips_and_shifts(shift=0))[0]
    flipped = flipped.reshape(-1, 12, 12)
    same = [np.allclose(a, b) for a, b in zip(plain, flipped, strict=True)]
    mirrored = [np.allclose(a[:, ::-1], b) for a, b in zip(plain, flipped, strict=True)]
    assert np.all(np.logical_or(same, mirrored))
    assert 0.3 < np.mean(mirrored) < 0.7


def test_shifts_uncover_mirrored_edges(split: Split) -> None:
    white = Split("train", np.full_like(split.x, 255), split.y, split.class_names)
    moved = drawn(white, tasks=2, count=4, augment=flips_and_shifts())
    for images in moved:
        np.testing.assert_array_equal(images, 255)
    plain = drawn(split, tasks=2, count=4)[0]
    assert not np.array_equal(
        plain, drawn(split, tasks=2, count=4, augment=flips_and_shifts())[0]
    )


def photographs(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 12, 12, 3), np.uint8)


def views(images: np.ndarray, number: int = 0, **options) -> np.ndarray:
    change = Augmentation(crops_and_colours(**options))
    return change(images, key(0, "views", number)).numpy()


def test_views_of_a_photograph_differ_and_follow_from_the_key() -> None:
    images = np.repeat(photographs(1), 8, axis=0)
    first, second = (views(images, number) for number in (0, 1))
    np.testing.assert_array_equal(first, views(images, 0))
    assert first.dtype == np.uint8 and first.shape == images.shape
    each = np.concatenate([first, second])
    apart = [np.any(a != b) for i, a in enumerate(each) for b in each[:i]]
    assert np.all(apart)


def test_what_a_view_changes_can_be_left_out() -> None:
    images = photographs(60)
    plain = {"crop": 0.0, "shift": 0.0, "colour": 0.0}
    seen = views(images, grey=0.0, **plain)
    same, mirrored = (
        np.all(seen == other, axis=(1, 2, 3)) for other in (images, images[:, :, ::-1])
    )
    assert np.all(same | mirrored) and 0.3 < mirrored.mean() < 0.7
    grey = views(images, grey=1.0, **plain)
    assert np.all(grey == grey[..., :1]) and np.std(grey) > 10
    some = views(images, grey=0.5, **plain)
    assert 0.3 < np.mean(np.all(some == some[..., :1], axis=(1, 2, 3))) < 0.7


def test_a_crop_shows_a_part_larger() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 20, dtype=np.uint8)[:, None], (12, 12))
    images = np.repeat(np.repeat(ramp[None, ..., None], 3, -1), 40, axis=0)
    plain = {"shift": 0.0, "colour": 0.0, "grey": 0.0}
    steps = np.diff(views(images, crop=0.5, **plain)[:, 2:10, 6, 0].astype(int), axis=1)
    pace = steps.mean(axis=1)
    assert np.all((9 < pace) & (pace < 21)) and pace.min() < 13 and pace.max() > 17


def test_layers_that_cannot_change_the_images_are_refused(split: Split) -> None:
    with pytest.raises(ValueError, match=r"images \(12, 12, 1\) .* must have 3 chann"):
        drawn(split, tasks=1, count=1, augment=crops_and_colours())
    with pytest.raises(ValueError, match="into such images. Received: Flatten"):
        drawn(split, tasks=1, count=1, augment=keras.layers.Flatten())


def test_images_that_are_no_pictures_keep_their_numbers():
    """uint8 of four channels, and integers: the mirror images of whole numbers."""
    x = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 4))
    layer = keras.layers.RandomFlip("horizontal")
    for dtype in ("uint8", "int64"):
        part = Split("train", x.astype(dtype), np.repeat([0, 1], 3), ("a", "b"))
        batch, _ = next(iter(episodes(part, way=2, shot=1, query=1, augment=layer)))
        for image in batch["support_x"][0].numpy():
            assert image.dtype == dtype
            assert any(np.all(e == image) or np.all(e[:, ::-1] == image) for e in x)


class Plus(keras.layers.Layer):
    """Adds a number, and keeps what it got."""

    def __init__(self, number):
        super().__init__()
        self.number, self.got = number, []

    def call(self, x):
        self.got.append(keras.backend.standardize_dtype(x.dtype))
        return x + self.number


def test_layers_see_floats_in_0_to_255_and_the_result_is_rounded_and_clipped():
    pixels = np.uint8([0, 7, 254, 255]).reshape(1, 2, 2, 1)
    for number, expected in ((0.6, [1, 8, 255, 255]), (-1.4, [0, 6, 253, 254])):
        layer = Plus(number)
        done = Augmentation(layer)(pixels, key(0, "augment", 0)).numpy()
        assert done.dtype == np.uint8 and set(layer.got) == {"float32"}
        assert done.ravel().tolist() == expected


def test_floats_are_neither_rounded_nor_clipped():
    x = np.float32([0.3, -2, 300, 1]).reshape(1, 2, 2, 1)
    for dtype in ("float32", "float64"):
        done = Augmentation(Plus(0.5))(x.astype(dtype), key(0, "augment", 0)).numpy()
        assert done.dtype == dtype
        np.testing.assert_array_equal(done, (x + np.float32(0.5)).astype(dtype))
