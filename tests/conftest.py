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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run in which other tests are skipped than TFMETA_MAY_SKIP names."""
    allowed = os.environ.get("TFMETA_MAY_SKIP")
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if allowed is None or terminal is None:
        return
    skipped = {report.nodeid for report in terminal.stats.get("skipped", [])}
    others = [
        name for name in sorted(skipped) if name.split("::")[-1] not in allowed.split()
    ]
    if others:
        terminal.write_line("Skipped, and not named in TFMETA_MAY_SKIP:", red=True)
        for name in others:
            terminal.write_line(name)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
