"""The lock of a run folder, on systems with and without `fcntl`."""

from __future__ import annotations

import subprocess
import sys

# Python on Windows: no module `fcntl`, and a module `msvcrt`, which locks bytes.
_IMPORTS = """
import pathlib, sys, types
sys.modules["fcntl"] = None
import tfmeta, tfmeta.training, tfmeta.evaluation, tfmeta.export
assert tfmeta.training.Trainer and tfmeta.MetaModel
"""
_LOCKS = """
held = set()

def locking(fd, mode, count):
    assert (mode, count) == (2, 1)
    if held:
        raise OSError(13, "Permission denied")
    held.add(fd)

sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
run = tfmeta.training.RunFolder(pathlib.Path(sys.argv[1]))
with run.locked():
    try:
        run.locked().__enter__()
    except ValueError as error:
        print(error)
"""


def test_tfmeta_works_where_fcntl_is_missing(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", _IMPORTS + _LOCKS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"Another process trains in {tmp_path}.")


def test_a_file_system_without_locks_lets_all_in(tmp_path, monkeypatch):
    import fcntl

    from tfmeta.training.run.folder_lock import folder_lock

    def refuse(file, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with folder_lock(tmp_path) as free, folder_lock(tmp_path) as free_too:
        assert free and free_too
