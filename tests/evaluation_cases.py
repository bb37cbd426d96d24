"""A split, episodes and a result for the tests of evaluation."""

from __future__ import annotations

import numpy as np
from learner_cases import FEATURES

from tfmeta.data import Split
from tfmeta.evaluation import Result

SIZE = dict(way=3, shot=2, query=4, episodes=7)


def split(seed: int = 0, shuffled: bool = False, classes: int = 6) -> Split:
    """Gaussian classes of 12 examples; shuffled, labels mean nothing."""
    draws = np.random.default_rng(seed)
    y = np.repeat(np.arange(classes, dtype="int32"), 12)
    x = draws.normal(0, 2, (classes, *FEATURES))[y]
    x = (x + draws.normal(size=x.shape)).astype("float32")
    if shuffled:
        x = draws.permutation(x)
    return Split("test", x, y, tuple(f"class{c}" for c in range(classes)))


def result(**changes) -> Result:
    fields = dict(
        learner="ProtoNet",
        metric="accuracy",
        scores=np.array([0.2, 0.4, 0.9]),
        split="test",
        way=5,
        shot=1,
        query=15,
        seed=1,
        normalisation="running",
        steps=None,
        seconds=1.2345,
    )
    fields |= changes
    return Result(**{"metrics": {fields["metric"]: fields["scores"]}, **fields})
