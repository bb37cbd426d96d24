"""Files that are whole or not there, and what is said where none can be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def unwritable(path: Path, error: OSError) -> OSError:
    """The error of a file that cannot be written, as a sentence.

    Args:
        path: The file.
        error: What the system said.

    Returns:
        The error to raise.
    """
    return OSError(
        f"{path} cannot be written ({error.strerror or error}). If the disk is full, "
        "make room on it; else choose a folder that exists and is writable."
    )


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file to write, which replaces an old file when it is complete.

    The file is written under another name, forced to the disk, and renamed. If the
    process is killed before the file is complete, the old file stays as it was. After
    an error nothing of the new file is left.

    Args:
        path: The file.

    Yields:
        The open file.

    Raises:
        OSError: If the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        _remove(partial)
        kept = " The old file is unchanged." if os.path.exists(path) else ""
        raise OSError(f"{unwritable(path, error)}{kept}") from error
    except BaseException:
        _remove(partial)
        raise


def _remove(partial: Path) -> None:
    try:
        partial.unlink(missing_ok=True)
    except OSError:
        pass  # The folder is gone, or read-only.
