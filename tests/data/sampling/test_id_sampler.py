"""Which ids are drawn: uniform, distinct, and the same whatever the sizes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data.sampling.id_sampler import IdSampler
from tfmeta.data.sampling.without_replacement import all_others, without_replacement

EPISODES = 100_000


def draw(sizes, indices, **options):
    sampler = IdSampler(np.array(sizes), **{"name": "train", "seed": 5, **options})
    return [part.numpy() for part in tf.function(sampler.draw)(indices)]


def is_even(counts):
    """Whether all cells are as likely, by a chi-square test at 0.001."""
    counts = np.asarray(counts, np.float64)
    statistic = np.sum((counts - counts.mean()) ** 2 / counts.mean())
    return tf.math.igammac((counts.size - 1) / 2, statistic / 2).numpy() > 0.001


def places(choices, entries):
    """The number of each ordered choice, `(episodes, k)`, among all of them."""
    every = list(itertools.permutations(range(entries), choices.shape[1]))
    codes = entries ** np.arange(choices.shape[1])
    order = np.array(every) @ codes
    found = np.searchsorted(np.sort(order), choices @ codes)
    return np.bincount(found, minlength=len(every))


@pytest.fixture(scope="module")
def of_seven():
    """Support of one and two queries in classes of seven, three of five classes."""
    indices = tf.range(EPISODES, dtype=tf.int64)
    return draw([7] * 5, indices, way=3, shot=1, query=2)


def test_every_ordered_choice_of_examples_is_as_likely(of_seven):
    """Order counts: the first of a row is the support."""
    ids, groups = of_seven
    for row in range(3):
        chosen = ids[:, row] - 7 * groups[:, row, np.newaxis]
        assert chosen.min() == 0 and chosen.max() == 6
        assert is_even(places(chosen, 7))  # 7 * 6 * 5 = 210 of them


def test_every_subset_of_a_class_is_as_likely(of_seven):
    ids, groups = of_seven
    chosen = np.sort(ids[:, 1] - 7 * groups[:, 1, np.newaxis], axis=1)
    subsets, counts = np.unique(chosen, axis=0, return_counts=True)
    assert len(subsets) == 35 and is_even(counts)


def test_every_ordered_choice_of_classes_is_as_likely(of_seven):
    _, groups = of_seven
    assert is_even(places(groups, 5))  # 5 * 4 * 3 = 60 of them


def test_the_rows_of_an_episode_have_nothing_to_do_with_each_other(of_seven):
    ids, groups = of_seven
    first, second = (ids[:, row, 0] - 7 * groups[:, row] for row in (0, 1))
    assert is_even(np.bincount(7 * first + second, minlength=49))


@pytest.mark.parametrize("sizes", [[20] * 4112, [500] * 1000, [10**6] * 4112])
def test_no_example_is_drawn_twice(sizes):
    ids, groups = draw(
        sizes, tf.range(500, dtype=tf.int64), way=5, shot=1, query=15, seed=0
    )
    assert ids.dtype == groups.dtype == np.int64 and ids.shape == (500, 5, 16)
    ordered = np.sort(ids.reshape(500, -1), axis=1)
    assert np.all(ordered[:, 1:] > ordered[:, :-1])
    np.testing.assert_array_equal(
        ids // sizes[0], np.repeat(groups[..., np.newaxis], 16, axis=2)
    )
    # Both halves of the classes, and of each class, are drawn from alike.
    assert abs(np.mean(groups < len(sizes) / 2) - 0.5) < 0.05
    assert abs(np.mean(ids % sizes[0] < sizes[0] / 2) - 0.5) < 0.02


def test_ids_beyond_32_bits_are_right():
    ids, _ = draw([10**6] * 4112, tf.range(200), way=5, shot=1, query=15)
    assert ids.max() > 2**31 and ids.min() >= 0 and ids.max() < 4112 * 10**6


def test_an_episode_is_the_same_in_any_batch():
    numbers = np.array([7, 2**31 - 1, 2**31, 2**31 + 7, 2**33, 2**62])
    options = {"way": 3, "shot": 2, "query": 3}
    ids, groups = draw([9, 6, 8, 12, 7], tf.constant(numbers), **options)
    for place, number in enumerate(numbers):
        alone = draw([9, 6, 8, 12, 7], tf.constant([number]), **options)
        np.testing.assert_array_equal(alone[0][0], ids[place])
        np.testing.assert_array_equal(alone[1][0], groups[place])
    assert len(np.unique(ids.reshape(len(numbers), -1), axis=0)) == len(numbers)


def test_the_graph_does_not_grow_with_the_number_of_examples():
    def nodes(query):
        sampler = IdSampler([5000] * 3, way=3, shot=1, query=query, name="train")
        signature = tf.TensorSpec((4,), tf.int64)
        graph = tf.function(sampler.draw).get_concrete_function(signature).graph
        return len(graph.as_graph_def().node)

    assert nodes(1) == nodes(1000)


def by_hand(digits, size):
    """The Lehmer code read the dumb way: take the d-th of what is left."""
    left = list(range(size))
    return [left.pop(digit) for digit in digits]


@pytest.mark.parametrize(("size", "count"), [(1, 1), (5, 5), (9, 4), (40, 40)])
def test_ranks_become_numbers(size, count):
    draws = np.random.default_rng(size)
    bits = draws.integers(-(2**63), 2**63 - 1, (30, count))
    found = without_replacement(tf.constant(bits), tf.constant(size, tf.int64))
    for row, numbers in zip(bits.tolist(), found.numpy().tolist(), strict=True):
        digits = [bit % (size - place) for place, bit in enumerate(row)]
        assert numbers == by_hand(digits, size)


def test_all_others_are_what_is_left():
    draws = np.random.default_rng(0)
    rows = [draws.permutation(11)[:4] for _ in range(12)]
    found = all_others(tf.constant(np.reshape(rows, (3, 4, 4))), 7).numpy()
    for row, others in zip(rows, found.reshape(12, 7), strict=True):
        assert others.tolist() == sorted(set(range(11)) - set(row.tolist()))


# Of superclasses a, b and c only a, with groups 0, 3 and 5, and b, with groups 1 and 4,
# have two groups.
SUPERCLASSES = ["a", "b", "c", "a", "b", "a"]


def test_the_groups_of_an_episode_are_of_one_superclass_and_each_choice_is_likely():
    indices = tf.range(EPISODES, dtype=tf.int64)
    _, groups = draw(
        [7] * 6, indices, way=2, shot=1, query=2, superclasses=SUPERCLASSES
    )
    pairs, counts = np.unique(groups, axis=0, return_counts=True)
    of_a = {pair for pair in itertools.permutations((0, 3, 5), 2)}
    of_b = {(1, 4), (4, 1)}
    assert {tuple(pair) for pair in pairs.tolist()} == of_a | of_b
    likely = dict(zip(map(tuple, pairs.tolist()), counts, strict=True))
    assert is_even([sum(likely[p] for p in each) for each in (of_a, of_b)])
    assert is_even([likely[pair] for pair in of_a])
    assert is_even([likely[pair] for pair in of_b])


def test_examples_by_superclass_do_not_depend_on_the_queries():
    indices = tf.range(200, dtype=tf.int64)
    options = {"way": 2, "shot": 2, "superclasses": SUPERCLASSES}
    few, groups = draw([9] * 6, indices, query=1, **options)
    many, same = draw([9] * 6, indices, query=4, **options)
    np.testing.assert_array_equal(groups, same)
    np.testing.assert_array_equal(few, many[:, :, :3])
    assert len(np.unique(few.reshape(-1) % 9)) == 9
    np.testing.assert_array_equal(few // 9, groups[..., None] + np.zeros_like(few))
