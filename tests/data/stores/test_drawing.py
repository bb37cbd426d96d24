"""Pictures that vanish, change or break after they were listed are named."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.data import from_folder

BREAKS = {
    "vanished": (lambda path: path.unlink(), "must be a file that can be read"),
    "changed": (
        lambda path: path.write_bytes(path.read_bytes() + b" "),
        r"must stay as it was.* with \d+ bytes. Received: \d+ bytes",
    ),
    "broken": (
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "cannot be read: .*Replace",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_picture_that_cannot_be_drawn_is_named(tmp_path, what):
    rng = np.random.default_rng(0)
    for i in range(6):
        path = tmp_path / f"class{i % 2}" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (9, 9, 1), np.uint8)
        tf.io.write_file(str(path), tf.io.encode_png(pixels))
    split = {"test": ["class0", "class1"]}
    source = from_folder(tmp_path, image_size=8, split=split, store="disk")
    learner = tfmeta.learners.NearestNeighbour()
    options = {"way": 2, "shot": 1, "query": 2, "episodes": 3}
    assert tfmeta.evaluate(learner, source.test, **options).episodes == 3
    spoil, sentence = BREAKS[what]
    spoil(tmp_path / "class1" / "3.png")
    with pytest.raises(ValueError, match=f"class1/3.png.*{sentence}"):
        tfmeta.evaluate(learner, source.test, **options)
