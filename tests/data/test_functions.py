"""Tasks that are functions: what they are, and that their stream keeps the rules."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import FunctionSplit, episodes, from_function, load

FAMILIES = ("sinusoid", "harmonic", "lines")


def drawn(name, *, part="train", count=12, **options):
    """Returns support_x, support_y, query_x, query_y of a stream, batches undone."""
    options = {"shot": 5, "query": 10, "seed": 3, "tasks": 4} | options
    stream = episodes(getattr(load(name), part), count=count, **options)
    names = ("support_x", "support_y", "query_x")
    flat = [[*(x[n] for n in names), y] for x, y in stream.as_numpy_iterator()]
    return [np.concatenate(parts) for parts in zip(*flat, strict=True)]


def same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_element_is_the_keras_pair(name):
    part = load(name).train
    x, y = episodes(part, shot=5, query=10, tasks=4).element_spec
    shapes = {key: (spec.shape, spec.dtype) for key, spec in x.items()}
    assert shapes == {
        "support_x": ((4, 5, 1), tf.float32),
        "support_y": ((4, 5, 1), tf.float32),
        "query_x": ((4, 10, 1), tf.float32),
        "episode": ((4,), tf.int64),
    }
    assert (y.shape, y.dtype) == ((4, 10, 1), tf.float32)
    assert part.example_shape == (1,) and part.class_names == ()


@pytest.mark.parametrize("name", FAMILIES)
def test_an_episode_is_a_function_of_seed_part_and_number(name):
    whole = drawn(name)
    for tasks in (1, 5, 12):
        same(drawn(name, tasks=tasks), whole)
    rest = drawn(name, start=7, count=5)
    same(rest, [array[7:] for array in whole])
    for other in (drawn(name, seed=4), drawn(name, part="val")):
        assert not np.any(other[0] == whole[0]) and not np.any(other[3] == whole[3])
    assert len(np.unique(whole[0])) == whole[0].size  # No task is drawn twice.


def all_points(name, count=3000, shot=12, query=12):
    """x and y of many tasks, `(tasks, points)`."""
    sets = drawn(name, count=count, shot=shot, query=query, tasks=500)
    return [np.concatenate([sets[i], sets[i + 2]], 1)[..., 0] for i in (0, 1)]


def solved(columns, y):
    """Least squares for each task: coefficients `(tasks, terms)`, largest residual."""
    a = np.stack(columns, axis=-1).astype(np.float64)
    found = np.stack(
        [np.linalg.lstsq(*each, rcond=None)[0] for each in zip(a, y, strict=True)]
    )
    return found, np.abs(np.einsum("tpk,tk->tp", a, found) - y).max()


def is_even(values, low, high):
    """Whether values fill low..high evenly (the Kolmogorov-Smirnov distance)."""
    assert low <= values.min() and values.max() <= high
    places = np.sort((values - low) / (high - low))
    distance = np.abs(places - (np.arange(len(places)) + 0.5) / len(places)).max()
    return distance < 1.9 / np.sqrt(len(places))  # Exceeded once in a thousand.


def test_sinusoids_are_those_of_the_paper():
    x, y = all_points("sinusoid")
    # A sin(x - p) = A cos(p) sin(x) - A sin(p) cos(x).
    found, worst = solved([np.sin(x), np.cos(x)], y)
    assert worst < 1e-4
    assert is_even(np.hypot(*found.T), 0.1 - 1e-5, 5)
    assert is_even(np.arctan2(-found[:, 1], found[:, 0]), -1e-5, np.pi + 1e-5)
    assert is_even(x[:, 0], -5, 5) and is_even(x[:, -1], -5, 5)


def test_lines_are_lines():
    x, y = all_points("lines")
    found, worst = solved([x, np.ones_like(x)], y)
    assert worst < 1e-4
    assert is_even(found[:, 0], -3.0001, 3.0001)
    assert is_even(found[:, 1], -3.0001, 3.0001)
    assert is_even(x[:, 3], -5, 5)


def test_harmonics_are_two_waves_and_noise():
    x, y = all_points("harmonic", count=150, shot=60, query=60)
    assert is_even(x[:, 0], -1, 1)
    best = np.full(len(x), np.inf)
    sizes, frequencies = np.zeros((len(x), 4)), np.zeros(len(x))
    for w in np.linspace(5, 7, 101):
        waves = [f(n * w * x) for n in (1, 2) for f in (np.sin, np.cos)]
        found, _ = solved(waves, y)
        fit = np.einsum("ktp,tk->tp", np.stack(waves), found)
        errors = np.sum((fit - y) ** 2, 1)
        better = errors < best
        best[better], sizes[better] = errors[better], found[better]
        frequencies[better] = w
    # 120 points less five parameters, and what the grid of frequencies misses.
    assert abs(np.median(np.sqrt(best / 115)) - 0.1) < 0.01
    assert is_even(frequencies, 5, 7)
    for pair in (sizes[:, :2], sizes[:, 2:]):
        # The amplitude's square has mean 1; 150 of them, of standard deviation 1.4.
        assert abs(np.mean(np.sum(pair**2, 1)) - 1) < 0.4


def test_a_family_is_a_function_of_a_key_and_x():
    def steps(key, x):
        return tf.cast(x > tf.random.stateless_uniform((), key), tf.float32)

    source = from_function(steps, low=0.0, high=1.0, name="steps")
    x, y = next(iter(episodes(source.test, shot=3, query=50, tasks=20)))
    assert source.name == "steps"
    for points, values in ((x["support_x"], x["support_y"]), (x["query_x"], y)):
        order = np.argsort(points.numpy()[..., 0], axis=1)
        ranked = np.take_along_axis(values.numpy()[..., 0], order, axis=1)
        assert np.all(np.diff(ranked, axis=1) >= 0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"way": 5, "shot": 1}, "way=5 asks for classes.*no classes. Leave out way"),
        ({"shot": 0}, "shot must be at least 1"),
        ({"shot": 1, "query": None}, "query=None takes all.* Give query a number"),
        ({"shot": 1, "query": 0}, "query must be at least 1"),
        ({"shot": 1, "augment": object()}, "augment changes images"),
    ],
)
def test_what_functions_do_not_have_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        episodes(load("sinusoid").train, **options)


def test_what_a_family_cannot_be_is_refused():
    with pytest.raises(ValueError, match="low below high"):
        FunctionSplit("train", lambda key, x: x, 1.0, 1.0)
    with pytest.raises(ValueError, match="must be finite"):
        FunctionSplit("train", lambda key, x: x, 0.0, float("inf"))
    with pytest.raises(ValueError, match="'lines' is a family.*Leave out split"):
        load("lines", rotations=True)
    with pytest.raises(ValueError, match="Received: way=None. Give way"):
        episodes(load("glyphs").train, shot=1)
