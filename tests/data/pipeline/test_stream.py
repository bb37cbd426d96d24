"""What all streams of examples and episodes have in common."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.data import Split, episodes
from tfmeta.data.pipeline.examples import examples

SPLIT = Split("train", np.zeros((40, 3)), np.arange(40) // 10, "abcd")


@pytest.mark.parametrize(
    "stream", [episodes(SPLIT, way=2, shot=1, query=2), examples(SPLIT)]
)
def test_the_graph_is_not_rewritten(stream):
    """Rewriting it would copy all data into the graph for each iterator."""
    options = stream.options().experimental_optimization
    assert options.apply_default_optimizations is False
