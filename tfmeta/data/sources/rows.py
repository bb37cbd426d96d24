"""The rows of files of texts, with the number of the line that each begins in."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import pathlib
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeAlias, cast

Row: TypeAlias = tuple[int, dict[str, Any]]
_BOM = b"\xef\xbb\xbf"


def rows_of(path: pathlib.Path, form: str) -> Iterator[Row]:
    """Reads the rows of a file, one at a time.

    Args:
        path: The file. One whose name ends in ".gz" is decompressed.
        form: "jsonl" for a JSON object on each line, "csv" for commas under a first
            line of names. Empty lines are left out.

    Yields:
        The number of the line that a row begins in, from 1, and the row's values by
        the names of their fields.

    Raises:
        ValueError: If there is no such file, or a line of it cannot be read; the error
            names the line.
    """
    if not path.is_file():
        raise ValueError(
            f"There is no file {str(path)!r}. Give the path of a {form} file, such as "
            f"{form}:texts.{form}."
        )
    try:
        with _opened(path) as file:
            yield from FORMS[form](path, file)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read: {error}. Restore it from a copy; a name "
            "that ends in .gz must be that of a gzip file."
        ) from error


def at_line(path: pathlib.Path, line: int, sentence: str) -> ValueError:
    """An error about a line of a file.

    Args:
        path: The file.
        line: The number of the line, from 1.
        sentence: What must hold, what was received, and what to do.
    """
    return ValueError(f"{str(path)!r}, line {line}: {sentence}")


def _opened(path: pathlib.Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _lines(path: pathlib.Path, file: BinaryIO) -> Iterator[str]:
    """The lines of a file as texts, with their ends."""
    for number, line in enumerate(file, start=1):
        if number == 1:
            line = line.removeprefix(_BOM)
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise at_line(
                path,
                number,
                f"The file must be in UTF-8. Received: {line[error.start :][:1]!r} as "
                f"byte number {error.start + 1} of the line. Convert the file, such as "
                "by iconv -f latin1 -t utf-8.",
            ) from error


def _jsonl(path: pathlib.Path, file: BinaryIO) -> Iterator[Row]:
    for number, line in enumerate(_lines(path, file), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise at_line(
                path,
                number,
                f"Each line must be a JSON object. Received: {line.strip()[:40]!r} "
                f"({error}). Correct the line.",
            ) from error
        if not isinstance(row, dict):
            raise at_line(
                path,
                number,
                'Each line must be a JSON object, such as {"text": ..., "label": '
                f"...}}. Received: {type(row).__name__}. Correct the line.",
            )
        yield number, row


def _csv(path: pathlib.Path, file: BinaryIO) -> Iterator[Row]:
    lines = csv.reader(_lines(path, file), strict=True)
    names: list[str] | None = None
    start = 1
    with _long_fields():
        while True:
            try:
                values = next(lines)
            except StopIteration:
                return
            except csv.Error as error:
                raise at_line(
                    path,
                    start,
                    f"Each row must be one of a CSV file: {error}. Put a text that "
                    'has commas, quotes or line breaks in quotes, and double each " '
                    "inside.",
                ) from error
            if names is None and values:
                names = values
            elif names is not None and values:
                _check_width(path, start, names, values)
                yield start, dict(zip(names, values, strict=True))
            start = lines.line_num + 1


def _check_width(
    path: pathlib.Path, line: int, names: list[str], values: list[str]
) -> None:
    if len(values) != len(names):
        raise at_line(
            path,
            line,
            f"Each row must have the {len(names)} fields of the first line. Received: "
            f"{len(values)} fields. Put a text that has commas in quotes.",
        )


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """Lets Python's reader take texts of any length, and no longer than needed."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


FORMS: dict[str, Callable[[pathlib.Path, BinaryIO], Iterator[Row]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
}
