from __future__ import annotations

import doctest
import importlib
import pathlib

import pytest

import tfmeta.data

MODULES = sorted(p.stem for p in pathlib.Path(tfmeta.data.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("name", [name for name in MODULES if name != "__init__"])
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"tfmeta.data.{name}")
    assert doctest.testmod(module).failed == 0
