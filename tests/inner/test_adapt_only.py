"""Which weights adapt."""

from __future__ import annotations

import pytest

from tfmeta.inner.adapt_only import chosen_to_adapt
from tfmeta.learners import MAML
from tfmeta.nets import mlp


@pytest.mark.parametrize(
    ("adapt_only", "expected"),
    [
        (None, [True] * 6),
        ("head", [False] * 4 + [True] * 2),
        (["hidden2/kernel", "head"], [False, False, True, False, True, True]),
        (lambda path: path.endswith("bias"), [False, True] * 3),
    ],
)
def test_prefixes_and_functions(adapt_only, expected) -> None:
    assert chosen_to_adapt(mlp(outputs=5), adapt_only) == expected


@pytest.mark.parametrize(
    ("adapt_only", "what"), [("heads", "none"), ("h", "all"), ([], "none")]
)
def test_matching_none_or_all_is_refused(adapt_only, what: str) -> None:
    with pytest.raises(ValueError, match=f"which matches {what} of: hidden1/kernel"):
        MAML(mlp(outputs=5), adapt_only=adapt_only)


def test_a_function_is_kept_as_paths() -> None:
    learner = MAML(mlp(outputs=5), adapt_only=lambda path: "head" in path)
    assert learner.get_config()["adapt_only"] == ["head/kernel", "head/bias"]
