from __future__ import annotations

import numpy as np
import pytest

from tfmeta.data import Split, with_rotations


def test_a_class_appears_in_four_turns():
    x = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)
    split = Split("val", x, np.int32([0, 0, 1, 1, 1]), ("a", "b"))
    turned = with_rotations(split)
    assert (turned.name, turned.num_classes, turned.x.dtype) == ("val", 8, np.uint8)
    assert turned.class_names[4:6] == ("a/rot180", "b/rot180")
    np.testing.assert_array_equal(turned.counts, [2, 3] * 4)
    for example in range(5):
        by_hand = x[example]
        for turn in range(4):
            np.testing.assert_array_equal(turned.x[5 * turn + example], by_hand)
            # Counter-clockwise: transpose, then turn upside down.
            by_hand = by_hand.transpose(1, 0, 2)[::-1]


def test_nests_do_not_turn():
    x = {"image": np.zeros((1, 4, 4, 1), np.uint8), "age": np.zeros(1), "c": [1]}
    with pytest.raises(ValueError, match="need square images.*'age'"):
        with_rotations(Split("train", x, np.int32([0]), ("a",)))


@pytest.mark.parametrize("shape", [(2, 3, 1), (4,), (4, 4)])
def test_only_square_images_turn(shape):
    split = Split("train", np.zeros((1, *shape), np.uint8), np.int32([0]), ("a",))
    with pytest.raises(ValueError, match="need square images"):
        with_rotations(split)
