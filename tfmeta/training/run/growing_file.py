"""A file that grows while a run goes on."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tfmeta.whole_files import unwritable


class GrowingFile:
    """A file to whose end bytes are written; readers see them at once.

    Args:
        path: The file; it is made if it does not exist.

    Raises:
        OSError: If the file cannot be opened.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise unwritable(path, error) from error

    def write(self, data: bytes) -> None:
        """Writes bytes.

        Args:
            data: The bytes.

        Raises:
            OSError: If they cannot be written, as on a full disk.
        """
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def close(self) -> None:
        """Closes the file."""
        # What could not be written has been told by `write`.
        with contextlib.suppress(OSError):
            self._file.close()
