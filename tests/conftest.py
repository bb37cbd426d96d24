"""Fixtures that every test may use."""

from __future__ import annotations

import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder of real data sets; TFMETA_TEST_DATA says where it lies."""
    folder = pathlib.Path(os.environ.get("TFMETA_TEST_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set TFMETA_TEST_DATA to its folder")
    return folder.resolve()
