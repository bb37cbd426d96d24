"""Version folders: numbered, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator


class VersionFolder:
    """The folder of one version of a SavedModel.

    A path whose last part is a number is the version folder itself. In any other path
    the version folder gets the next free number. TensorFlow Serving watches this
    layout. Files are written to a hidden sibling that is renamed when it is complete: a
    watcher never sees half a model, and a failure leaves nothing behind.

    Args:
        path: A local folder, such as "exported" or "exported/3". It need not exist.

    Attributes:
        path: The version folder. It is final when the `with` block of `writing` ends.

    Raises:
        ValueError: If the version exists already, its number is below 1, or the path is
            not a local folder.
    """

    def __init__(self, path: str | os.PathLike[str]):
        text = os.fspath(path)
        if "://" in text:
            raise ValueError(
                f"Saving needs a local folder. Received: {text!r}. Save to a local "
                "folder and copy it there."
            )
        asked = pathlib.Path(os.path.abspath(text))
        self._numbered = _is_number(asked.name)
        if not self._numbered and asked.exists() and not asked.is_dir():
            raise ValueError(f"{text!r} is a file. Give a folder to save in.")
        self._base = asked.parent if self._numbered else asked
        self.path = asked if self._numbered else self._next()
        self._check_free()

    @property
    def served_name(self) -> str:
        """The model's name at a server, which is that of the folder of its versions."""
        return self._base.name

    @contextlib.contextmanager
    def writing(self) -> Iterator[pathlib.Path]:
        """Gives a folder to write to; it becomes `path` unless an error escapes.

        Yields:
            An empty folder beside `path`.

        Raises:
            ValueError: If nothing can be written there, or if another process wrote the
                same version meanwhile.
        """
        made = self._make_base()
        partial = self._base / f".{self.path.name}.{uuid.uuid4().hex}.partial"
        try:
            try:
                partial.mkdir()
            except OSError as error:
                raise self._unwritable(error) from error
            yield partial
            self._rename(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            _remove_empty(made)
            raise

    def _next(self) -> pathlib.Path:
        names = os.listdir(self._base) if self._base.is_dir() else []
        taken = [int(name) for name in names if _is_number(name)]
        return self._base / str(max(taken, default=0) + 1)

    def _check_free(self) -> None:
        if int(self.path.name) < 1:
            raise ValueError(
                f"A version is a number of at least 1. Received: {str(self.path)!r}."
            )
        if self.path.exists() and (not self.path.is_dir() or os.listdir(self.path)):
            raise ValueError(
                f"{str(self.path)!r} is there already, and a version is never "
                f"overwritten. Save to {str(self._base)!r} for the next free number, "
                "or give another."
            )

    def _make_base(self) -> list[pathlib.Path]:
        """Makes the folder around the version; returns the folders that were new."""
        missing = [f for f in (self._base, *self._base.parents) if not f.exists()]
        made = []
        try:
            for folder in reversed(missing):
                folder.mkdir(exist_ok=True)
                made.append(folder)
        except OSError as error:
            _remove_empty(made)
            raise self._unwritable(error) from error
        return made

    def _rename(self, partial: pathlib.Path) -> None:
        while True:
            try:
                if self.path.is_dir():
                    self.path.rmdir()
                partial.rename(self.path)
                return
            except OSError as error:
                if self._numbered or not self.path.exists():
                    self._check_free()
                    raise self._unwritable(error) from error
                self.path = self._next()

    def _unwritable(self, error: OSError) -> ValueError:
        return ValueError(
            f"Cannot write to {str(self._base)!r}: {error.strerror}. Choose a folder "
            "you may write to."
        )


def _remove_empty(folders: list[pathlib.Path]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()
