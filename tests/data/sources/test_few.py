"""A train part with few examples of each class."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.data import from_arrays, load

X = np.arange(300, dtype=np.float32).reshape(300, 1)
Y = np.arange(300) % 5


def test_the_train_part_keeps_so_many_of_each_class_and_the_others_all() -> None:
    whole = from_arrays(X, Y, disjoint="examples")
    some = from_arrays(X, Y, disjoint="examples", per_class=7)
    assert some.train.counts.tolist() == [7] * 5
    assert some.train.class_names == whole.train.class_names
    kept = set(some.train.x[:, 0].tolist())
    assert kept < set(whole.train.x[:, 0].tolist())
    np.testing.assert_array_equal(some.train.x[:, 0] % 5, some.train.y)
    for part in ("val", "test"):
        np.testing.assert_array_equal(getattr(some, part).x, getattr(whole, part).x)


def test_fewer_are_among_more_and_another_seed_keeps_others() -> None:
    def kept(count: int, seed: int = 0) -> set[float]:
        found = from_arrays(X, Y, disjoint="examples", per_class=count, seed=seed)
        return set(found.train.x[:, 0].tolist())

    assert kept(3) < kept(8)
    assert kept(3) == kept(3) != kept(3, seed=1)


def test_a_run_recognises_which_were_kept() -> None:
    def rows(count: int) -> str:
        found = from_arrays(X, Y, disjoint="examples", per_class=count)
        return found.identity()["train"]["rows"]

    assert rows(3) != rows(8)


def test_tasks_keep_so_many_examples() -> None:
    tasks = np.array(["a", "b", "c", "d", "e"])[Y]
    source = from_arrays(X, X[:, 0] * 2, tasks=tasks, per_class=4)
    assert source.train.counts.tolist() == [4] * source.train.num_tasks
    np.testing.assert_array_equal(source.train.y, 2 * source.train.x)


def test_what_a_class_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="from 1 to the size .* is 38. Received: 39"):
        from_arrays(X, Y, disjoint="examples", per_class=39)
    with pytest.raises(ValueError, match="Received: 0"):
        from_arrays(X, Y, per_class=0)
    with pytest.raises(ValueError, match="per_class"):
        load("sinusoid", per_class=3)
