from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tfmeta.data import load

PARTS = ("train", "val", "test")


@pytest.fixture(scope="module")
def glyphs():
    return load("glyphs")


def test_glyphs_are_fitted_and_turned(glyphs):
    source = load("glyphs", image_size=14, channels=3, rotations=True)
    for part in PARTS:
        ours, plain = getattr(source, part), getattr(glyphs, part)
        assert ours.example_shape == (14, 14, 3)
        assert ours.num_classes == 4 * plain.num_classes


def test_glyphs_are_shared_out_anew(glyphs):
    source = load("glyphs", split="0.5,0.25,0.25")
    before = {n for p in PARTS for n in getattr(glyphs, p).class_names}
    after = {n for p in PARTS for n in getattr(source, p).class_names}
    assert before == after
    assert abs(source.train.num_classes - len(before) / 2) < 1
    name = glyphs.test.class_names[3]
    where = next(p for p in PARTS if name in getattr(source, p).class_names)
    split = getattr(source, where)
    np.testing.assert_array_equal(
        split.x[split.y == split.class_names.index(name)],
        glyphs.test.x[glyphs.test.y == 3],
    )


@pytest.mark.parametrize("name", ["imagenet", "", "npz:", "tfds:", "folder:", "csv:x"])
def test_unknown_sources_are_refused(name):
    with pytest.raises(ValueError, match="no source .* tfds:NAME, folder:PATH or npz"):
        load(name)


def test_importing_loads_no_optional_package():
    code = (
        "import sys; import tfmeta.data; "
        "print([m for m in ('tensorflow_datasets', 'ray') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
