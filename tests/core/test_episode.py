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
