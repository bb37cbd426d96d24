"""A lock that keeps two processes out of one folder."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Tries to lock a folder for the time of a `with` block.

    The lock also ends when the process ends, in whatever way. On a file system without
    locks every process gets it.

    Args:
        folder: The folder, in which a file `.lock` is made.

    Yields:
        Whether no other process holds the lock.

    Raises:
        OSError: If the file cannot be made.
    """
    with (folder / ".lock").open("w") as file:
        yield _locked(file)


def _locked(file: IO[str]) -> bool:
    """Locks an open file until it is closed; False if another process holds it."""
    try:
        import fcntl
    except ImportError:
        return _locked_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # A file system without locks.
    return True


def _locked_on_windows(file: IO[str]) -> bool:
    msvcrt: Any = importlib.import_module("msvcrt")
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:  # Windows does not tell a held lock from other reasons.
        return False
    return True
