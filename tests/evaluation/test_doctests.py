"""The examples in the docstrings."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["compare", "over_seeds", "reliability"])
def test_examples(module) -> None:
    found = doctest.testmod(importlib.import_module(f"tfmeta.evaluation.{module}"))
    assert found.attempted and not found.failed
