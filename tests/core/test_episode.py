"""The nouns."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.core import Batch, Episode, Examples

X = {"support_x": 1, "support_y": 2, "query_x": 3}


def test_reads_a_keras_example() -> None:
    assert Episode.from_batch(X, 4) == Episode(Examples(1, 2), Examples(3, 4))


def test_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"missing: \['query_x', 'support_y'\]"):
        Episode.from_batch({"support_x": 1}, 2)


def test_a_batch_has_counts_numbers_and_descriptors_where_they_are_given() -> None:
    whole = Batch.read(X, 4)
    assert whole == Batch(Episode(Examples(1, 2), Examples(3, 4)), None, None, ())
    told = Batch.read(
        {**X, "support_count": 5, "query_count": 6, "episode": 7, "task_x": {"a": 8}}, 4
    )
    assert told.counts == Episode(Examples(5, 5), Examples(6, 6))
    assert (told.number, told.task) == (7, {"a": 8})
    with pytest.raises(ValueError, match="needs both support_count and query_count"):
        Batch.read({**X, "support_count": 5})


def test_each_part_of_an_example_has_its_count() -> None:
    x = {"support_x": {"a": 1, "b": 2}, "support_y": 3, "query_x": {"a": 4, "b": 5}}
    counts = Batch.read({**x, "support_count": 6, "query_count": 7}).counts
    assert counts.support == Examples({"a": 6, "b": 6}, 6)
    assert counts.query == Examples({"a": 7, "b": 7}, None)


def test_tasks_are_counted() -> None:
    x = {"support_x": 0, "support_y": tf.zeros((3, 2)), "query_x": 0}
    assert int(Batch.read(x).num_tasks) == 3


def test_a_repr_shows_shapes_and_no_numbers() -> None:
    x = {"image": np.zeros((2, 5, 8, 8, 1), np.uint8), "age": tf.zeros((2, 5))}
    examples = Examples(x, tf.zeros((2, 5), tf.int32))
    assert repr(examples) == (
        "Examples(x={image: uint8 (2, 5, 8, 8, 1), age: float32 (2, 5)}, "
        "y=int32 (2, 5))"
    )
    assert repr(Examples([0.5], None)) == "Examples(x=(float), y=None)"
    assert repr(Episode(examples, examples)).startswith("Episode(support=Examples(x={")
