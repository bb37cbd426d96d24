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


@pytest.mark.parametrize("name", ["imagenet", "", "npz:", "tfds:", "folder:", "xml:x"])
def test_unknown_sources_are_refused(name):
    with pytest.raises(
        ValueError, match="no source .* tfds:NAME, folder:PATH, npz:PATH, "
    ):
        load(name)


@pytest.mark.parametrize("name", ["glyphs", "sinusoid", "tfds:mnist"])
def test_what_has_no_files_is_not_drawn_from_the_disk(name):
    with pytest.raises(ValueError, match=f"for folder:PATH and npz:PATH.*'{name}'"):
        load(name, store="disk")


def test_a_store_of_no_kind_is_refused():
    with pytest.raises(ValueError, match="one of auto, memory, disk. Received: 'ram'"):
        load("glyphs", store="ram")
    with pytest.raises(ValueError, match="Leave out split, rotations, disjoint"):
        load("sinusoid", disjoint="examples")


def test_all_parts_of_the_glyphs_may_have_all_classes():
    source = load("glyphs", disjoint="examples", split="0.8,0.1,0.1")
    assert source.train.class_names == source.test.class_names
    assert set(source.train.counts) == {16} and source.disjoint == "examples"


def test_importing_loads_no_optional_package():
    code = (
        "import sys; import tfmeta.data; "
        "print([m for m in ('tensorflow_datasets', 'ray') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
