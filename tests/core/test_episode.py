"""The nouns."""

from __future__ import annotations

import pytest

from tfmeta.core import Episode, Examples


def test_reads_a_keras_example() -> None:
    x = {"support_x": 1, "support_y": 2, "query_x": 3}
    assert Episode.from_batch(x, 4) == Episode(Examples(1, 2), Examples(3, 4))


def test_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"missing: \['query_x', 'support_y'\]"):
        Episode.from_batch({"support_x": 1}, 2)


def test_counts_are_those_of_each_tensor() -> None:
    x = {"support_x": 1, "support_y": 2, "query_x": 3}
    assert Episode.counts(x) is None
    counts = Episode.counts({**x, "support_count": 5, "query_count": 6})
    assert counts == Episode(Examples(5, 5), Examples(6, 6))
    with pytest.raises(ValueError, match="needs both support_count and query_count"):
        Episode.counts({**x, "support_count": 5})
