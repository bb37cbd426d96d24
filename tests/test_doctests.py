"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib.util
import pathlib
import pkgutil
import tempfile

import pytest

import tfmeta

MODULES = [
    module.name
    for module in pkgutil.walk_packages(tfmeta.__path__, "tfmeta.")
    if ">>> " in pathlib.Path(importlib.util.find_spec(module.name).origin).read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed


def test_every_folder_has_examples() -> None:
    folders = {name.split(".")[1] for name in MODULES}
    assert {"core", "data", "evaluation", "export", "inner", "layers"} <= folders
