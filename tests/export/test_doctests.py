"""The examples in export's docstrings."""

from __future__ import annotations

import doctest
import importlib
import tempfile


def test_examples_in_docstrings(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = doctest.testmod(importlib.import_module("tfmeta.export.save"))
    assert result.attempted and not result.failed
