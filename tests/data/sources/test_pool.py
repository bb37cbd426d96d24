"""How the examples of a data set are divided into parts."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.data import from_arrays
from tfmeta.data.sources.class_lists import PARTS
from tfmeta.data.sources.pool import Pool, divide
from tfmeta.data.stores.memory import MemoryStore

X = np.arange(60)[:, np.newaxis]  # Each example is its own number.
Y = np.arange(60) % 6


def pool(parts=None, names="abcdef"):
    return Pool("p", MemoryStore(X), Y, list(names), parts=parts)


def numbers(part):
    return part.x[:, 0]


def test_the_parts_share_one_store_and_no_example():
    source = divide(pool(), (0.5, 0.25, 0.25))
    parts = [getattr(source, part) for part in PARTS]
    assert len({id(part.store) for part in parts}) == 1 and source.disjoint == "classes"
    np.testing.assert_array_equal(
        np.sort(np.concatenate([*map(numbers, parts)])), X.T[0]
    )
    for part in parts:
        names = np.array(part.class_names)[part.y]
        np.testing.assert_array_equal(names, np.array(list("abcdef"))[Y[numbers(part)]])


def test_the_data_sets_own_parts_hold_where_they_share_no_class():
    own = np.where(Y < 3, 0, np.where(Y == 3, 1, 2))
    source = divide(pool(own))
    assert source.train.class_names == ("a", "b", "c")
    assert (source.val.class_names, source.test.class_names) == (("d",), ("e", "f"))
    anew = divide(pool(own), {"train": ["f"], "val": ["a"]})
    assert anew.train.class_names == ("f",) and anew.test.num_classes == 0
    # Where the own parts share classes, fractions of the classes are taken.
    shared = divide(pool(np.arange(60) // 30 * 2))
    assert [getattr(shared, p).num_classes for p in PARTS] == [4, 1, 1]


def test_a_part_that_is_lacking_takes_a_fifth_of_train():
    own = np.where(Y < 5, 0, 2)
    source = divide(pool(own))
    assert [getattr(source, p).num_classes for p in PARTS] == [4, 1, 1]
    assert source.test.class_names == ("f",)
    # What stands before the slash is drawn together.
    grouped = divide(pool(own, ["a/1", "a/2", "b/1", "c/1", "d/1", "e/1"]))
    assert {n[0] for n in grouped.val.class_names}.isdisjoint(
        n[0] for n in grouped.train.class_names
    )


def test_a_test_part_of_the_data_set_stays_where_a_split_takes_none():
    own = np.where(X[:, 0] % 10 < 8, 0, 2)  # Eight of each class, and two.
    source = divide(pool(own), (0.75, 0.25, 0.0), disjoint="examples")
    np.testing.assert_array_equal(np.sort(numbers(source.test)), np.flatnonzero(own))
    assert source.train.counts.tolist() == [6] * 6
    assert source.val.counts.tolist() == [2] * 6
    lacking = divide(pool(own), disjoint="examples")
    np.testing.assert_array_equal(np.sort(numbers(lacking.test)), np.flatnonzero(own))
    anew = divide(pool(own), (0.5, 0.25, 0.25), disjoint="examples")
    assert not np.array_equal(np.sort(numbers(anew.test)), np.flatnonzero(own))


def test_parts_may_share_their_classes_and_no_example():
    source = divide(pool(), (0.6, 0.2, 0.2), seed=1, disjoint="examples")
    assert source.disjoint == "examples"
    seen = [numbers(getattr(source, part)) for part in PARTS]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), X.T[0])
    for part, count in zip(PARTS, (6, 2, 2), strict=True):
        one = getattr(source, part)
        assert one.class_names == tuple("abcdef") and set(one.counts) == {count}
        np.testing.assert_array_equal(Y[numbers(one)], one.y)
    same = divide(pool(), (0.6, 0.2, 0.2), seed=1, disjoint="examples")
    other = divide(pool(), (0.6, 0.2, 0.2), seed=2, disjoint="examples")
    np.testing.assert_array_equal(numbers(same.val), numbers(source.val))
    assert not np.array_equal(numbers(other.val), numbers(source.val))


def test_own_parts_that_cut_through_classes_are_kept():
    own = np.repeat([0, 2], 30)
    source = divide(pool(own), disjoint="examples")
    np.testing.assert_array_equal(np.sort(numbers(source.test)), np.arange(30, 60))
    assert set(source.train.counts) == {4} and set(source.val.counts) == {1}
    lacking = own.copy()
    lacking[Y == 2] = 0
    with pytest.raises(ValueError, match=r"'test' of 'p' has none of 'c'"):
        divide(pool(lacking), disjoint="examples")


def test_three_parts_may_share_their_classes():
    given = (
        [X[i::3] for i in range(3)],
        [np.char.add("c", Y[i::3].astype(str)) for i in range(3)],
    )
    with pytest.raises(ValueError, match="same ones"):
        from_arrays(*given, disjoint="examples")
    labels = [np.arange(20) % 2 for _ in range(3)]
    source = from_arrays(given[0], labels, disjoint="examples")
    assert source.val.class_names == ("0", "1") and source.disjoint == "examples"
    with pytest.raises(ValueError, match="must share no class"):
        from_arrays(given[0], labels)


def test_tasks_are_shared_out_or_their_examples():
    tasks, values = [f"user{i}" for i in Y], X[:, 0] / 7.0
    whole = from_arrays(X, values, tasks=tasks)
    assert whole.disjoint == "tasks" and whole.train.num_tasks == 4
    split = from_arrays(X, values, tasks=tasks, disjoint="examples")
    assert split.train.task_names == split.test.task_names
    np.testing.assert_allclose(split.val.y[:, 0], numbers(split.val) / 7.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"disjoint": "tasks"}, "disjoint must be classes or examples.*'tasks'"),
        (
            {"disjoint": "examples", "split": {"train": ["a"]}},
            "must be three fractions",
        ),
        ({"disjoint": "examples", "split": "cifar_fs"}, "must be three fractions"),
        ({"disjoint": "examples", "split": (0.5, 0.5, 0.5)}, "sum to 1"),
    ],
)
def test_what_does_not_fit_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        divide(pool(), **options)


def test_a_class_too_small_to_be_shared_out_is_named():
    small = Pool("p", MemoryStore(X[:7]), np.int64([0, 0, 0, 0, 0, 1, 1]), ["a", "b"])
    with pytest.raises(ValueError, match="as many examples of the class 'b'.*are 2"):
        divide(small, disjoint="examples")


def test_other_examples_of_the_same_classes_are_other_data():
    one, same, other = (
        divide(pool(), (0.6, 0.2, 0.2), seed=seed, disjoint="examples").identity()
        for seed in (1, 1, 2)
    )
    assert one == same
    for part in PARTS:
        assert one[part]["counts"] == other[part]["counts"]
        assert one[part]["rows"] != other[part]["rows"]


def test_a_part_of_no_example_has_no_class():
    source = divide(pool(), (0.5, 0.0, 0.5), disjoint="examples")
    assert len(source.val) == 0 and source.val.class_names == ()
    assert source.train.counts.tolist() == source.test.counts.tolist() == [5] * 6


def test_own_parts_of_other_classes_cannot_share_them():
    with pytest.raises(ValueError, match="'train' of 'p' has none of 'f'"):
        divide(pool(np.where(Y < 5, 0, 2)), disjoint="examples")
