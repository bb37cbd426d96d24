"""Properties of the sampler, over thousands of episodes at once."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import EpisodeSampler, Split

EPISODES = 3000
EQUAL = [7] * 11
UNEQUAL = [5, 9, 6, 5, 12, 7, 8]


def split_of(sizes, name="train"):
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = np.arange(len(y), dtype=np.int32)[:, np.newaxis]
    return Split(name, x, y, tuple(f"class{c}" for c in range(len(sizes))))


def draw(split, *, indices=None, **options):
    sampler = EpisodeSampler(split, **options)
    indices = tf.range(EPISODES, dtype=tf.int64) if indices is None else indices
    return [part.numpy() for part in tf.function(sampler.batch_ids)(indices)]


@pytest.fixture(
    scope="module", params=[EQUAL, UNEQUAL], ids=["equal classes", "unequal classes"]
)
def drawn(request):
    split = split_of(request.param)
    return split, *draw(split, way=4, shot=2, query=3, seed=5)


def test_shapes_and_labels(drawn):
    _, support, support_y, query, query_y = drawn
    assert support.shape == support_y.shape == (EPISODES, 8)
    assert query.shape == query_y.shape == (EPISODES, 12)
    for labels, each in ((support_y, 2), (query_y, 3)):
        assert labels.dtype == np.int32
        for label in range(4):
            np.testing.assert_array_equal((labels == label).sum(axis=1), each)


def test_no_example_is_twice_in_an_episode(drawn):
    """Holds for support, query, and the two together: they are disjoint."""
    _, support, _, query, _ = drawn
    ids = np.sort(np.concatenate([support, query], axis=1), axis=1)
    assert np.all(ids[:, 1:] > ids[:, :-1])


def test_a_label_is_one_class_and_a_class_one_label(drawn):
    split, support, support_y, query, query_y = drawn
    classes = split.y[np.concatenate([support, query], axis=1)]
    labels = np.concatenate([support_y, query_y], axis=1)
    per_label = np.full((EPISODES, 4), -1)
    for label in range(4):
        of_label = np.where(labels == label, classes, -1)
        per_label[:, label] = of_label.max(axis=1)
        assert np.all((of_label == per_label[:, [label]]) | (labels != label))
    per_label.sort(axis=1)
    assert np.all(per_label[:, 1:] > per_label[:, :-1])


def chi_square_z(counts, expected, *, correction=1.0):
    """Distance of a chi-square statistic from its mean, in standard deviations."""
    freedom = len(counts) - 1
    statistic = correction * np.sum((counts - expected) ** 2 / expected)
    return (statistic - freedom) / np.sqrt(2 * freedom)


def test_every_class_is_as_likely_at_every_label(drawn):
    split, support, support_y, _, _ = drawn
    for label in range(4):
        classes = split.y[support[support_y == label]][::2]
        counts = np.bincount(classes, minlength=split.num_classes)
        assert abs(chi_square_z(counts, EPISODES / split.num_classes)) < 3.5


@pytest.mark.parametrize("role", ["support", "query"])
def test_every_example_of_a_class_is_as_likely(drawn, role):
    split, support, _, query, _ = drawn
    taken, each = (support, 2) if role == "support" else (query, 3)
    counts = np.bincount(taken.reshape(-1), minlength=len(split.y))
    for start, size in zip(split.starts, split.counts, strict=True):
        of_class = counts[start : start + size]
        # Drawing without replacement makes the counts vary less.
        correction = (size - 1) / (size - each)
        z = chi_square_z(of_class, of_class.mean(), correction=correction)
        assert abs(z) < 4


def test_pairs_of_classes_are_as_likely():
    split = split_of([2] * 6)
    support, *_ = draw(split, way=2, shot=1, query=1)
    first, second = split.y[support].T
    counts = np.bincount(first * 6 + second, minlength=36).reshape(6, 6)
    assert np.all(np.diag(counts) == 0)
    pairs = counts[~np.eye(6, dtype=bool)]
    assert abs(chi_square_z(pairs, EPISODES / 30)) < 3.5


def test_one_episode_alone_is_the_episode_of_the_batch():
    split = split_of(UNEQUAL)
    sampler = EpisodeSampler(split, way=4, shot=2, query=3, seed=5)
    far = 2**40
    indices = tf.constant([9, 3, far, 3], tf.int64)
    batch = sampler.batch_ids(indices)
    for row, index in enumerate([9, 3, far, 3]):
        for one, many in zip(sampler.ids(index), batch, strict=True):
            np.testing.assert_array_equal(one, many[row])
    assert not np.array_equal(batch[0][0], batch[0][1])
    in_graph = tf.function(sampler.ids)(tf.constant(9))
    np.testing.assert_array_equal(in_graph[0], batch[0][0])


def test_seed_split_name_and_index_all_matter():
    options = {"way": 4, "shot": 2, "query": 3, "indices": tf.range(50)}
    base = draw(split_of(EQUAL), seed=0, **options)[0]
    again = draw(split_of(EQUAL), seed=0, **options)[0]
    np.testing.assert_array_equal(base, again)
    other_seed = draw(split_of(EQUAL), seed=1, **options)[0]
    other_name = draw(split_of(EQUAL, "val"), seed=0, **options)[0]
    for other in (other_seed, other_name, np.roll(base, 1, axis=0)):
        assert (base == other).mean() < 0.1  # 1 in 77 by chance


def test_the_stream_is_the_same_in_every_version():
    """Golden: printed by this very call; a change breaks every resumed run."""
    support, _, query, _ = draw(
        split_of(EQUAL), way=3, shot=1, query=1, seed=7, indices=tf.range(2)
    )
    assert (support.tolist(), query.tolist()) == GOLDEN


GOLDEN = ([[0, 28, 35], [64, 75, 7]], [[1, 33, 41], [67, 72, 11]])


def test_the_support_set_does_not_depend_on_the_queries():
    options = {"way": 4, "shot": 2, "seed": 5, "indices": tf.range(50)}
    for split in (split_of(EQUAL), split_of(UNEQUAL)):
        few, many = (draw(split, query=query, **options) for query in (1, 3))
        np.testing.assert_array_equal(few[0], many[0])


def test_query_none_takes_what_is_left():
    split = split_of(EQUAL)
    support, _, query, _ = draw(split, way=11, shot=2, query=None)
    assert query.shape == (EPISODES, 11 * 5)
    ids = np.sort(np.concatenate([support, query], axis=1), axis=1)
    np.testing.assert_array_equal(ids, np.tile(np.arange(77), (EPISODES, 1)))


def test_query_none_with_unequal_classes():
    split = split_of(UNEQUAL)
    sampler = EpisodeSampler(split, way=4, shot=2, query=None, seed=5)
    ids = tf.function(sampler.ids)
    fixed = tf.function(EpisodeSampler(split, way=4, shot=2, query=3, seed=5).ids)
    for index in range(40):
        support, support_y, query, query_y = (
            part.numpy() for part in ids(tf.constant(index))
        )
        classes = split.y[support[::2]]
        assert len(query) == split.counts[classes].sum() - 8
        np.testing.assert_array_equal(classes[query_y], split.y[query])
        taken = np.sort(np.concatenate([support, query]))
        every = np.flatnonzero(np.isin(split.y, classes))
        np.testing.assert_array_equal(taken, every)
        np.testing.assert_array_equal(fixed(tf.constant(index))[0], support)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"way": 20},
            "way=20 needs 20 classes, but split 'train' has 7. Lower way, or set ",
        ),
        (
            {"shot": 3, "query": 3},
            r"need 6 .*'class0' \(5\), 'class3' \(5\)\. Lower shot or query, or",
        ),
        ({"shot": 5, "query": None}, r"at least 1 need 6 .*'class0' \(5\)"),
        ({"way": 0}, "way must be at least 1. Received: 0"),
        ({"shot": 0}, "shot must be at least 1"),
        ({"query": 0}, "query must be at least 1"),
        ({"shot": 1.5}, "shot must be an integer. Received: 1.5"),
    ],
)
def test_impossible_episodes_are_refused(options, message):
    options = {"way": 3, "shot": 1, "query": 1} | options
    with pytest.raises(ValueError, match=message):
        EpisodeSampler(split_of(UNEQUAL), **options)


def test_many_small_classes_are_counted():
    with pytest.raises(ValueError, match="'class4' .* and 6 more"):
        EpisodeSampler(split_of(EQUAL), way=3, shot=7, query=1)
