from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import EpisodeSampler, Split, episodes, from_arrays

SIZES = [9] * 8


def split_of(sizes=tuple(SIZES), dtype=np.uint8):
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = np.random.default_rng(0).integers(0, 256, (len(y), 4, 2, 3)).astype(dtype)
    return Split("train", x, y, tuple(f"class{c}" for c in range(len(sizes))))


def stream(count=12, **options):
    """Returns the first episodes of a stream, batches undone."""
    options = {"way": 3, "shot": 2, "query": 4, "seed": 3} | options
    dataset = episodes(split_of(), count=count, **options)
    flat = [tf.nest.flatten(element) for element in dataset.as_numpy_iterator()]
    return [np.concatenate(parts) for parts in zip(*flat, strict=True)]


def same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_element_is_the_keras_pair():
    options = {"way": 3, "shot": 2, "query": 4, "tasks": 5}
    dataset = episodes(split_of(), **options)
    x, y = dataset.element_spec
    shapes = {name: (spec.shape, spec.dtype) for name, spec in x.items()}
    assert shapes == {
        "support_x": ((5, 6, 4, 2, 3), tf.uint8),
        "support_y": ((5, 6), tf.int32),
        "query_x": ((5, 12, 4, 2, 3), tf.uint8),
        "episode": ((5,), tf.int64),
    }
    assert (y.shape, y.dtype) == ((5, 12), tf.int32)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY


def test_the_examples_are_the_samplers():
    split = split_of()
    dataset = episodes(split, way=3, shot=2, query=4, tasks=6, seed=3, start=2)
    x, query_y = next(dataset.as_numpy_iterator())
    sampler = EpisodeSampler(split, way=3, shot=2, query=4, seed=3)
    for task in range(6):
        support, support_y, query, y = sampler.ids(2 + task)
        for got, ids in ((x["support_x"][task], support), (x["query_x"][task], query)):
            np.testing.assert_array_equal(got, split.x[ids.numpy()])
        np.testing.assert_array_equal(x["support_y"][task], support_y)
        np.testing.assert_array_equal(query_y[task], y)


@pytest.mark.parametrize("tasks", [2, 5, 12, 40])
def test_the_stream_does_not_depend_on_the_batch_size(tasks):
    same(stream(tasks=tasks), stream(tasks=1))


def test_the_stream_goes_on_from_start():
    parts = [stream(count=n, start=s, tasks=2) for s, n in ((0, 5), (5, 1), (6, 6))]
    joined = [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
    same(joined, stream())
    same(stream(start=2**40, count=2), stream(start=2**40, count=2, tasks=2))


def test_a_batch_has_the_numbers_of_its_episodes():
    dataset = episodes(
        split_of(), way=3, shot=1, query=1, tasks=4, start=2**33, count=6
    )
    numbers = [x["episode"].tolist() for x, _ in dataset.as_numpy_iterator()]
    assert numbers == [[2**33 + i for i in range(4)], [2**33 + 4, 2**33 + 5]]


def test_the_seed_changes_the_stream():
    assert not np.array_equal(stream()[1], stream(seed=4)[1])


def test_count_counts_episodes():
    dataset = episodes(split_of(), way=3, shot=1, query=1, tasks=4, count=10)
    sizes = [len(y) for _, y in dataset.as_numpy_iterator()]
    assert sizes == [4, 4, 2]
    assert dataset.element_spec[1].shape == (None, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_other_dtypes_stay_as_they_are(dtype):
    split = split_of(dtype=dtype)
    x, _ = next(iter(episodes(split, way=3, shot=1, query=1)))
    assert x["query_x"].dtype == dtype
    assert x["query_x"].numpy().max() > 2


def test_query_none():
    split = split_of((4, 6, 5))
    x, y = next(iter(episodes(split, way=3, shot=2, query=None)))
    assert x["query_x"].shape == (1, 9, 4, 2, 3)
    assert np.bincount(y[0]).sum() == 9
    with pytest.raises(ValueError, match="classes of one size.*use tasks=1"):
        episodes(split, way=3, shot=2, query=None, tasks=2)
    x, _ = next(iter(episodes(split_of(), way=3, shot=2, query=None, tasks=2)))
    assert x["query_x"].shape == (2, 21, 4, 2, 3)


@pytest.mark.parametrize("option", [{"tasks": 0}, {"start": -1}, {"count": 0}])
def test_numbers_are_checked(option):
    name = next(iter(option))
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        episodes(split_of(), way=3, shot=1, query=1, **option)


def test_the_examples_are_no_constant_in_the_graph():
    """A constant would be bound to 2 GB and copied with the graph."""
    split = split_of([50] * 1000)
    take = tf.function(split.take)
    graph = take.get_concrete_function(tf.zeros((1, 4), tf.int64)).graph
    assert graph.as_graph_def().ByteSize() < split.x.nbytes / 50


def accuracy_of_nearest_mean(split):
    """5-way 5-shot, in NumPy: a query goes to the class of the nearest mean."""
    hits = []
    for x, query_y in episodes(split, way=5, shot=5, query=5, tasks=50, count=400):
        support, labels, query = (
            x[key].numpy() for key in ("support_x", "support_y", "query_x")
        )
        onehot = np.eye(5)[labels] / 5
        means = np.einsum("tsw,tsd->twd", onehot, support)
        distances = ((query[:, :, None] - means[:, None]) ** 2).sum(axis=-1)
        hits.append(distances.argmin(axis=-1) == query_y.numpy())
    return np.concatenate(hits).mean()


def test_shuffled_labels_bring_accuracy_to_chance():
    """The control: nothing but the labels tells the classes apart."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(40), 20)
    x = rng.normal(size=(40, 16))[y] + rng.normal(size=(800, 16))
    whole = {"train": [str(c) for c in range(40)]}
    right = from_arrays(x, y, split=whole).train
    wrong = from_arrays(x, rng.permutation(y), split=whole).train
    assert accuracy_of_nearest_mean(right) > 0.85
    # 10,000 queries: a standard error of 0.004.
    assert abs(accuracy_of_nearest_mean(wrong) - 0.2) < 0.016


def test_a_whole_source_is_refused():
    source = from_arrays(np.zeros((40, 2)), np.arange(40) % 10)
    with pytest.raises(
        ValueError,
        match="Received: a whole Source. Use .train",
    ):
        episodes(source, way=2, shot=1)
