"""Regression whose tasks are given: an episode is examples of one of them."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.core.targets import Values
from tfmeta.data import TaskSplit, episodes, from_arrays, from_npz, small_moves
from tfmeta.data.pipeline.examples import examples

PARTS = ("train", "val", "test")
SIZES = [6, 9, 7, 6, 8, 12, 6, 10, 7, 6]


def toy(sizes=tuple(SIZES), seed=0):
    """Shuffled examples: x is (task, place within it), y their sum."""
    tasks = np.repeat(np.arange(len(sizes)), sizes)
    places = np.concatenate([np.arange(n) for n in sizes])
    order = np.random.default_rng(seed).permutation(len(tasks))
    x = np.stack([tasks, places], axis=1).astype(np.float32)[order]
    return x, x[:, 0] * 100 + x[:, 1], tasks[order]


def source(sizes=tuple(SIZES), **options):
    x, y, tasks = toy(sizes)
    return from_arrays(x, y, tasks=tasks, split=(0.6, 0.2, 0.2), **options)


def test_tasks_are_shared_out():
    made = source()
    names = [getattr(made, part).task_names for part in PARTS]
    assert [len(each) for each in names] == [6, 2, 2]
    assert sorted(sum(names, ())) == sorted(map(str, range(10)))
    for part in PARTS:
        split = getattr(made, part)
        assert isinstance(split, TaskSplit) and split.targets == Values()
        assert split.class_names == () and split.group_names == split.task_names
        own = np.array(split.task_names, dtype=object)[split.tasks].astype(int)
        np.testing.assert_array_equal(split.x[:, 0], own)
        np.testing.assert_array_equal(split.y[:, 0], own * 100 + split.x[:, 1])
        assert split.y.dtype == np.float32 and split.y.shape == (len(own), 1)
        np.testing.assert_array_equal(
            split.counts, [SIZES[int(n)] for n in split.task_names]
        )


def test_lists_of_names_share_tasks_out():
    x, y, tasks = toy()
    made = from_arrays(x, y, tasks=tasks, split={"train": [1, "2"], "test": ["7"]})
    assert [getattr(made, part).task_names for part in PARTS] == [
        ("1", "2"),
        (),
        ("7",),
    ]
    users = np.array([f"user{t}" for t in tasks])
    made = from_arrays(x, y, tasks=users, split={"train": ["user3"]})
    assert np.all(made.train.x[:, 0] == 3)
    with pytest.raises(ValueError, match="task list 'val' names '11', .* 10 tasks"):
        from_arrays(x, y, tasks=tasks, split={"val": [11]})
    with pytest.raises(ValueError, match="share no task"):
        from_arrays(x, y, tasks=tasks, split={"val": [1], "test": [1]})


def test_three_parts_may_be_given():
    x, y, tasks = toy()
    masks = [tasks < 6, (tasks >= 6) & (tasks < 8), tasks >= 8]
    three = [[array[m] for m in masks] for array in (x, y, tasks)]
    made = from_arrays(three[0], three[1], tasks=three[2])
    assert made.val.task_names == ("6", "7")
    with pytest.raises(ValueError, match="share no task, but '0' .* 'train' and 'val'"):
        from_arrays([x] * 3, [y] * 3, tasks=[tasks] * 3)
    with pytest.raises(ValueError, match="targets of one shape"):
        pairs = np.stack([three[1][2]] * 2, axis=1)
        from_arrays(three[0], [*three[1][:2], pairs], tasks=three[2])
    with pytest.raises(ValueError, match="list of three each.*2 for tasks"):
        from_arrays(three[0], three[1], tasks=three[2][:2])


def test_an_episode_is_one_task():
    split = source().train
    seen = set()
    for x, query_y in episodes(split, shot=2, query=4, tasks=5, count=60, seed=1):
        assert x["support_x"].shape == (5, 2, 2) and x["query_x"].shape == (5, 4, 2)
        assert x["support_y"].shape == (5, 2, 1) and query_y.shape == (5, 4, 1)
        points = np.concatenate([x["support_x"], x["query_x"]], axis=1)
        values = np.concatenate([x["support_y"], query_y], axis=1)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(
            values[..., 0], points[..., 0] * 100 + points[..., 1]
        )
        assert np.all(points[:, :, 0] == points[:, :1, 0])
        ordered = np.sort(points[..., 1], axis=1)
        assert np.all(ordered[:, 1:] > ordered[:, :-1])
        seen.update(points[:, 0, 0].astype(int).tolist())
    assert sorted(seen) == sorted(map(int, split.task_names))


def test_the_stream_does_not_depend_on_the_batch_size():
    def stream(**options):
        batches = episodes(source().train, shot=2, query=3, count=12, **options)
        return [np.concatenate([y for _, y in batches.as_numpy_iterator()])]

    whole = stream(tasks=12)
    for tasks in (1, 5):
        np.testing.assert_array_equal(stream(tasks=tasks), whole)
    assert not np.array_equal(stream(seed=1), whole)


def test_all_that_is_left_is_queried():
    split = source().train
    for x, query_y in episodes(split, shot=2, query=None, count=12):
        points = np.concatenate([x["support_x"], x["query_x"]], axis=1)[0]
        size = SIZES[int(points[0, 0])]
        assert query_y.shape == (1, size - 2, 1)
        assert sorted(points[:, 1]) == list(range(size))
    with pytest.raises(ValueError, match="needs tasks of one size.*use tasks=1"):
        episodes(split, shot=2, query=None, tasks=2)
    equal = source([8] * 10).train
    _, query_y = next(iter(episodes(equal, shot=2, query=None, tasks=3)))
    assert query_y.shape == (3, 6, 1)


def test_shots_may_be_ranges():
    split = source().train
    options = {"shot": (1, 3), "query": 3, "count": 80, "tasks": 2}
    batches = list(episodes(split, **options).as_numpy_iterator())
    assert {x["support_x"].shape[1] for x, _ in batches} == {1, 2, 3}
    counts = []
    for x, _ in episodes(split, unequal_shots=True, **options).as_numpy_iterator():
        assert x["support_x"].shape == (2, 3, 2) and x["support_y"].shape == (2, 3, 1)
        for task, count in enumerate(x["support_count"]):
            points, values = x["support_x"][task], x["support_y"][task, :, 0]
            np.testing.assert_array_equal(values, points[:, 0] * 100 + points[:, 1])
            assert not points[count:].any() and points[:count, 0].max() == points[0, 0]
        counts.extend(x["support_count"])
    assert set(counts) == {1, 2, 3}


def test_targets_may_have_several_numbers():
    x, y, tasks = toy()
    made = from_arrays(x, np.stack([y, -y, y], axis=1), tasks=tasks)
    batch, query_y = next(iter(episodes(made.train, shot=1, query=2, tasks=3)))
    assert batch["support_y"].shape == (3, 1, 3) and query_y.shape == (3, 2, 3)


def test_a_stream_of_examples():
    split = source().train
    x, y = next(iter(examples(split, batch_size=500)))
    assert x.shape == (500, 2) and y.shape == (500, 1) and y.dtype == np.float32
    np.testing.assert_array_equal(y[:, 0], x[:, 0] * 100 + x[:, 1])
    assert len(np.unique(y)) == len(split.y)
    empty = from_arrays(*toy()[:2], tasks=toy()[2], split={"train": [1]}).test
    with pytest.raises(ValueError, match="must have examples to draw from"):
        examples(empty)
    with pytest.raises(ValueError, match="augment changes images"):
        examples(split, augment=small_moves())


def test_an_archive_may_hold_tasks(tmp_path):
    x, y, tasks = toy()
    np.savez(tmp_path / "a.npz", x=x, y=y, tasks=tasks)
    assert (
        from_npz(tmp_path / "a.npz").identity()
        == from_arrays(x, y, tasks=tasks).identity()
    )
    parts = {"train": tasks < 4, "val": tasks == 4, "test": tasks > 4}
    arrays = {
        f"{part}_{name}": array[mask]
        for part, mask in parts.items()
        for name, array in (("x", x), ("y", y), ("tasks", tasks))
    }
    np.savez(tmp_path / "b.npz", **arrays)
    assert from_npz(tmp_path / "b.npz").val.task_names == ("4",)


X, Y, TASKS = np.zeros((6, 2)), np.arange(6.0), np.arange(6) % 3


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (Y, {}, "Float y are values.* array called tasks.* Give that array, or"),
        (
            TASKS,
            {"tasks": TASKS},
            "array tasks needs float targets, but y holds.* Leave that array",
        ),
        (np.where(Y == 4, np.nan, Y), {"tasks": TASKS}, "1 of 6 examples.* number 4"),
        (np.where(Y == 2, 1e300, Y), {"tasks": TASKS}, "1 of 6 examples.* number 2"),
        (Y[1:], {"tasks": TASKS}, r"same length.*y of shape \(5,\)"),
        (Y, {"tasks": TASKS[1:]}, r"same length.*tasks of shape \(5,\)"),
        (Y, {"tasks": TASKS[:, None]}, "tasks must be a vector of integers or strings"),
        (Y, {"tasks": TASKS / 2}, "tasks must hold integers, bools or strings"),
        (Y, {"tasks": TASKS, "rotations": True}, "rotations is about classes"),
        (Y, {"tasks": TASKS, "class_names": "abc"}, "class_names is about classes"),
    ],
)
def test_what_does_not_fit_is_refused(y, options, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(X, y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"way": 5, "shot": 1}, "way=5 asks for classes.* have values.* Leave out way"),
        (
            {"shot": 3, "query": 4},
            r"need 7 examples of every task.*'\d' \(6\).*leave these tasks out",
        ),
        ({"shot": (1, 2), "query": None}, "query=None takes all.* Give query a number"),
    ],
)
def test_impossible_episodes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        episodes(source().train, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": np.int32([0, 1, 0])}, "tasks of split 'train' must be sorted"),
        ({"tasks": np.int32([0, 1])}, "each of the 3 examples. Received: 2 entries"),
        ({"y": np.array(["a", "b", "c"])}, "y must hold numbers"),
        ({"x": np.zeros((2, 2))}, "same length"),
        ({"task_names": ("a", "b", "c")}, "none of 'c'"),
        ({"task_names": ("a", "a")}, "Task names must be unique"),
    ],
)
def test_a_task_split_refuses(change, message):
    fields = {"name": "train", "x": np.zeros((3, 2)), "y": np.zeros(3)}
    fields |= {"tasks": np.int32([0, 0, 1]), "task_names": ("a", "b")}
    with pytest.raises(ValueError, match=message):
        TaskSplit(**{**fields, **change})
