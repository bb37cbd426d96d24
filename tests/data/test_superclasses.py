"""Episodes whose classes are all of one superclass."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta import data


def words(names, examples=4):
    x = np.arange(len(names) * examples, dtype=np.float32)[:, None]
    y = np.repeat(np.arange(len(names)), examples)
    return data.Split("train", x, y, names)


def source_of(**parts):
    made = {}
    for part in ("train", "val", "test"):
        names = parts.get(part, (f"{part}/a", f"{part}/b"))
        x = np.zeros((4 * len(names), 1), np.float32)
        y = np.repeat(np.arange(len(names)), 4)
        made[part] = data.Split(part, x, y, names)
    return data.Source("toy", **made)


NAMES = (
    *("cat/tom", "cat/kit", "dog/rex", "dog/rottweiler"),
    *("dog/rex/rot90", "dog/pal/rot90", "cow"),
)


def test_a_superclass_is_the_beginning_of_a_name_and_the_turn():
    made = data.by_superclass(source_of(train=NAMES)).train
    assert made.superclasses == (
        *("cat", "cat", "dog", "dog", "dog/rot90", "dog/rot90", "cow"),
    )


def test_every_episode_is_of_one_superclass_whatever_the_way():
    part = data.load("glyphs", rotations=True, by_superclass=True).train
    for way, shot in ((5, 1), ((2, 6), (1, 3))):
        episodes = data.episodes(part, way=way, shot=shot, query=2, seed=3, count=20)
        plain = data.load("glyphs", rotations=True).train
        found = set()
        for x, _ in episodes:
            # The pictures say which classes an episode has.
            pictures = x["support_x"].numpy()[0]
            found.add(frozenset(map(picture_name(plain), pictures)))
        assert all(len(names) == 1 for names in found) and len(found) > 3


def picture_name(part):
    """A function that names the superclass of a picture of a part."""
    place = {picture.tobytes(): i for i, picture in enumerate(part.x)}

    def name(picture):
        first, _, *turned = part.class_names[part.y[place[picture.tobytes()]]].split(
            "/"
        )
        return "/".join([first, *turned])

    return name


def test_without_a_large_superclass_the_largest_is_named():
    part = data.by_superclass(source_of(train=NAMES)).train
    with pytest.raises(ValueError, match="needs 3 classes of one superclass.*'cat'"):
        part.sampler(way=3, shot=1, query=1)
    part.sampler(way=2, shot=1, query=1)


def test_only_classes_that_are_drawn_need_enough_examples():
    names = ("cat/tom", "cat/kit", "cow")
    y = np.repeat([0, 1, 2], [4, 4, 1])
    x = np.zeros((len(y), 1), np.float32)
    part = data.Split("train", x, y, names, superclasses=("cat", "cat", "cow"))
    ids = part.sampler(way=2, shot=1, query=3).batch_ids(np.arange(9))[0]
    assert np.max(ids) < 8  # Never the cow, of which there is one.
    with pytest.raises(ValueError, match=r"every class.*'cow' \(1\)\."):
        part.sampler(way=1, shot=1, query=3)
    with pytest.raises(ValueError, match=r"every class.*'cat/kit' \(4\)\."):
        part.sampler(way=2, shot=1, query=4)


def test_tasks_of_values_have_no_superclass():
    with pytest.raises(ValueError, match="tasks of values"):
        data.by_superclass(data.load("sinusoid"))
    with pytest.raises(ValueError, match="by_superclass"):
        data.load("sinusoid", by_superclass=True)


def test_as_many_superclasses_as_classes():
    with pytest.raises(ValueError, match="one entry for each of its 2 classes"):
        data.Split(
            "train",
            np.zeros((2, 1)),
            np.array([0, 1]),
            ("a", "b"),
            superclasses=["a"],
        )
