"""Way and shot drawn for a batch, shots drawn for a class."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import EpisodeSampler, Split, episodes, load

SIZES = [9, 12, 9, 15, 10, 9, 11, 9]


def split_of(sizes=tuple(SIZES)):
    """Examples that are their own ids plus one, so that none is zero."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = np.arange(1, len(y) + 1, dtype=np.int32)[:, np.newaxis]
    return Split("train", x, y, tuple(f"class{c}" for c in range(len(sizes))))


SPLIT = split_of()
RANGES = {"way": (2, 5), "shot": (1, 4), "query": 3, "seed": 7}


def drawn(part=SPLIT, *, count=60, **options):
    options = {**RANGES, "tasks": 2, **options}
    return list(episodes(part, count=count, **options).as_numpy_iterator())


def same(left, right):
    for one, other in zip(tf.nest.flatten(left), tf.nest.flatten(right), strict=True):
        np.testing.assert_array_equal(one, other)


def sizes(batch):
    """The way and shot of a batch."""
    way = batch[0]["support_y"].max() + 1
    return way, batch[0]["support_y"].shape[1] // way


@pytest.mark.parametrize(
    "sizes_of_classes", [[12] * 8, SIZES], ids=["equal", "unequal"]
)
def test_a_batch_is_cut_from_episodes_of_the_largest_way_and_shot(sizes_of_classes):
    split = split_of(sizes_of_classes)
    largest = EpisodeSampler(split, way=5, shot=4, query=3, seed=7)
    seen = set()
    for place, (x, query_y) in enumerate(drawn(split, count=20)):
        way, shot = sizes((x, query_y))
        seen.add((way, shot))
        numbers = np.arange(2 * place, 2 * place + 2)
        ids = largest.rows(tf.constant(numbers))[0].numpy()[:, :way]
        support, query = ids[:, :, :shot], ids[:, :, shot : shot + 3]
        np.testing.assert_array_equal(x["episode"], numbers)
        np.testing.assert_array_equal(x["support_x"][..., 0] - 1, flat(support))
        np.testing.assert_array_equal(x["query_x"][..., 0] - 1, flat(query))
        labels = np.broadcast_to(np.arange(way)[:, np.newaxis], ids.shape)
        np.testing.assert_array_equal(x["support_y"], flat(labels[:, :, :shot]))
        np.testing.assert_array_equal(query_y, flat(labels[:, :, :3]))
    assert len(seen) > 4


def flat(rows):
    return rows.reshape(len(rows), -1)


def test_sizes_are_those_of_the_batchs_number():
    """The same number, the same sizes, wherever the stream starts in the batch."""
    whole = [sizes(batch) for batch in drawn(tasks=4, count=80)]
    shifted = [sizes(batch) for batch in drawn(tasks=4, start=2, count=80)]
    assert whole == shifted and len(set(whole)) > 4
    # Half as many tasks: number n is then another episode, but the same batch.
    assert whole == [sizes(batch) for batch in drawn(tasks=2, count=40)]


def test_every_way_and_shot_of_the_ranges_is_as_likely():
    found = [sizes(batch) for batch in drawn(count=2400, tasks=1)]
    counts = np.zeros((4, 4))
    for way, shot in found:
        counts[way - 2, shot - 1] += 1
    # 16 pairs: 15 degrees of freedom; 37.7 is exceeded once in a thousand.
    assert np.sum((counts - 150) ** 2 / 150) < 37.7


def test_one_may_vary_and_the_other_not():
    assert {sizes(b) for b in drawn(way=3)} == {(3, s) for s in (1, 2, 3, 4)}
    assert {sizes(b) for b in drawn(shot=2)} == {(w, 2) for w in (2, 3, 4, 5)}
    spec = episodes(SPLIT, way=3, shot=2, tasks=2, query=3).element_spec
    assert spec[0]["support_y"].shape == (2, 6)
    same(drawn(way=(3, 3), shot=(2, 2)), drawn(way=3, shot=2))


def test_the_stream_goes_on_from_a_whole_batch():
    whole = drawn(count=12)
    same(drawn(start=4, count=8), whole[2:])
    other = [sizes(batch) for batch in drawn(count=60, seed=8)]
    assert other != [sizes(batch) for batch in drawn(count=60)]


def test_the_last_batch_may_be_smaller():
    batches = drawn(count=5)
    assert [len(y) for _, y in batches] == [2, 2, 1]
    x, y = episodes(SPLIT, tasks=2, count=5, **RANGES).element_spec
    assert x["support_x"].shape == (None, None, 1) and y.shape == (None, None)


def test_functions_vary_too():
    part = load("sinusoid").train
    found = set()
    for place, (x, y) in enumerate(drawn(part, way=None)):
        shot = x["support_x"].shape[1]
        found.add(shot)
        assert x["support_y"].shape == (2, shot, 1) and y.shape == (2, 3, 1)
        fixed = episodes(part, shot=shot, query=3, seed=7, tasks=2, start=2 * place)
        same((x, y), next(iter(fixed)))
    assert found == {1, 2, 3, 4}


def real(batch, task):
    """One task's support and query sets without padding."""
    x, y = batch
    s, q = x["support_count"][task], x["query_count"][task]
    support = x["support_x"][task, :s, 0], x["support_y"][task, :s]
    return support, (x["query_x"][task, :q, 0], y[task, :q])


@pytest.mark.parametrize("way", [3, (2, 5)])
def test_every_class_draws_its_own_shot(way):
    shots = []
    most = way if isinstance(way, int) else way[1]
    largest = EpisodeSampler(SPLIT, way=most, shot=4, query=3, seed=7)
    for place, batch in enumerate(drawn(way=way, unequal_shots=True)):
        ways = batch[0]["support_y"].max() + 1
        for task in range(2):
            ids, _ = largest.rows(tf.constant([2 * place + task], tf.int64))
            (support, labels), (query, query_y) = real(batch, task)
            each = np.bincount(labels, minlength=ways)
            assert each.min() >= 1 and each.max() <= 4
            np.testing.assert_array_equal(labels, np.repeat(np.arange(ways), each))
            np.testing.assert_array_equal(query_y, np.repeat(np.arange(ways), 3))
            for label in range(ways):
                # In the order of the larger episode, support first.
                row = ids[0, label].numpy() + 1
                own, asked = support[labels == label], query[query_y == label]
                np.testing.assert_array_equal(own, row[: len(own)])
                np.testing.assert_array_equal(asked, row[len(own) : len(own) + 3])
            shots.extend(each)
    counts = np.bincount(shots, minlength=5)[1:]
    # Three degrees of freedom; 16.3 is exceeded once in a thousand.
    assert np.sum((counts - counts.mean()) ** 2 / counts.mean()) < 16.3


def test_padding_is_zero_and_at_the_end():
    part = split_of()
    x, y = episodes(
        part, tasks=9, **{**RANGES, "way": 3}, unequal_shots=True
    ).element_spec
    shapes = {name: spec.shape.as_list() for name, spec in x.items()}
    assert shapes == {
        "support_x": [9, 12, 1],
        "support_y": [9, 12],
        "query_x": [9, 9, 1],
        "episode": [9],
        "support_count": [9],
        "query_count": [9],
    }
    assert y.shape == (9, 9)
    for batch, _ in drawn(way=3, unequal_shots=True):
        assert batch["support_count"].dtype == batch["query_count"].dtype == np.int32
        behind = np.arange(12) >= batch["support_count"][:, np.newaxis]
        np.testing.assert_array_equal(batch["support_x"][..., 0] == 0, behind)
        assert np.all(batch["support_y"][behind] == 0)


def test_unequal_shots_do_not_depend_on_the_batch_size():
    def tasks_of(batches):
        return [real(b, i) for b in batches for i in range(len(b[1]))]

    options = {"way": 3, "unequal_shots": True, "count": 12}
    for tasks in (1, 5, 12):
        same(tasks_of(drawn(tasks=tasks, **options)), tasks_of(drawn(**options)))


def test_functions_draw_their_own_shots():
    part = load("lines").train
    counts = []
    for batch in drawn(part, way=None, unequal_shots=True):
        assert batch[0]["support_x"].shape == (2, 4, 1)
        for task in range(2):
            (x, y), (query, values) = real(batch, task)
            line = np.polyfit(np.append(x, query), np.append(y, values), 1)
            np.testing.assert_allclose(np.polyval(line, query), values[:, 0], atol=1e-4)
        counts.extend(batch[0]["support_count"])
    assert set(counts) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"way": (5, 20)}, "way=20 needs 20 classes, but split 'train' has 8"),
        ({"shot": (1, 7)}, "shot=7 and query=3 need 10 examples"),
        ({"shot": (3, 1)}, "A range of shot is two numbers, the lower one first"),
        ({"way": (1, 2, 3)}, "A range of way is two numbers"),
        ({"way": (0, 2)}, "way must be at least 1. Received: 0"),
        ({"way": (2, 2.5)}, "way must be an integer. Received: 2.5"),
        ({"query": None}, "query=None takes all.* Give query a number"),
        ({"shot": 3, "unequal_shots": True}, "unequal_shots needs a range of shots"),
    ],
)
def test_what_is_no_range_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        drawn(**options)
