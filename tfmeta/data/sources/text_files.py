"""Files of texts and their labels as a source."""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmeta.data.prepare.tokens import Tokens
from tfmeta.data.sources.arrays import classes_of
from tfmeta.data.sources.class_lists import PARTS
from tfmeta.data.sources.pool import EXAMPLES, Pool
from tfmeta.data.sources.rows import at_line, rows_of
from tfmeta.data.sources.strip import check_strip, stripped
from tfmeta.data.stores.memory import MemoryStore


def text_pool(
    path: pathlib.Path,
    *,
    form: str,
    text_field: str,
    label_field: str,
    split_field: str | None,
    strip: Sequence[str],
    prepare: Tokens,
    disjoint: str | None,
) -> Pool:
    """Reads the texts of a file, with the label of each.

    Args:
        path: The file, in UTF-8, compressed if its name ends in ".gz".
        form: "jsonl" for a JSON object on each line, "csv" for commas under a first
            line of names.
        text_field: The field that holds a text.
        label_field: The field that holds the label of a text: a text, or a whole
            number.
        split_field: The field that says which part a text is in: "train", "val" or
            "test"; None if the file is undivided.
        strip: What is taken off each text, see `stripped`. A text that is empty
            afterwards is left out.
        prepare: What numbers the words.
        disjoint: What no two parts share, see `divide`.

    Returns:
        The texts, in memory.

    Raises:
        ValueError: If a row of the file cannot be read, has no text or no label, or if
            its parts share a label that they must not share. The error names the line.

    Warns:
        UserWarning: If texts are left out.
    """
    check_strip(strip)
    lines, texts, labels, parts = [], [], [], []
    for line, row in rows_of(path, form):
        lines.append(line)
        texts.append(_text(path, line, row, text_field))
        labels.append(_label(path, line, row, label_field))
        if split_field is not None:
            parts.append(_part(path, line, row, split_field))
    if not lines:
        raise ValueError(
            f"{str(path)!r} must have a row for each text. Received: no row. Give "
            "another file."
        )
    _check_labels(path, lines, labels, label_field)
    if split_field is not None:
        _check_parts(path, lines, labels, parts, disjoint)
    texts = [stripped(text, strip) for text in texts] if strip else texts
    kept = np.array([bool(text.strip()) for text in texts])
    _warn_of_empty(path, kept, strip)
    x = np.empty(int(kept.sum()), object)
    x[:] = [text for text in texts if text.strip()]
    places = None if split_field is None else np.array(parts, np.int8)[kept]
    groups, names = classes_of(np.array(labels)[kept], None)
    name = f"{form}:{path}"
    return Pool(name, MemoryStore(x), groups, names, parts=places, prepare=prepare)


def _field(path: pathlib.Path, line: int, row: dict[str, Any], name: str) -> Any:
    if name not in row:
        raise at_line(
            path,
            line,
            f"Each row must have a field {name!r}. Received: "
            f"{', '.join(map(repr, row)) or 'none'}. Name the right one by text_field, "
            "label_field or split_field.",
        )
    return row[name]


def _text(path: pathlib.Path, line: int, row: dict[str, Any], name: str) -> str:
    text = _field(path, line, row, name)
    if not isinstance(text, str) or not text.strip():
        what = "an empty text" if isinstance(text, str) else type(text).__name__
        raise at_line(
            path,
            line,
            f"The field {name!r} must hold a text. Received: {what}. Fill it in, or "
            "leave the row out.",
        )
    return text


def _label(path: pathlib.Path, line: int, row: dict[str, Any], name: str) -> Any:
    label = _field(path, line, row, name)
    whole = isinstance(label, int) and not isinstance(label, bool)
    if not whole and not (isinstance(label, str) and label.strip()):
        raise at_line(
            path,
            line,
            f"The field {name!r} must hold a text or a whole number. Received: "
            f"{label!r}. Fill it in, or leave the row out.",
        )
    return label


def _part(path: pathlib.Path, line: int, row: dict[str, Any], name: str) -> int:
    part = _field(path, line, row, name)
    if part not in PARTS:
        raise at_line(
            path,
            line,
            f"The field {name!r} must be one of {', '.join(PARTS)}. Received: "
            f"{part!r}. Leave such rows out, or leave out split_field.",
        )
    return PARTS.index(part)


def _check_labels(
    path: pathlib.Path, lines: list[int], labels: list[Any], name: str
) -> None:
    """Refuses texts among numbers: 7 and "7" would be one class, or two."""
    for line, label in zip(lines, labels, strict=True):
        if type(label) is not type(labels[0]):
            raise at_line(
                path,
                line,
                f"The field {name!r} must hold texts in all rows, or numbers in all. "
                f"Received: {label!r}, and {labels[0]!r} in line {lines[0]}.",
            )


def _check_parts(
    path: pathlib.Path,
    lines: list[int],
    labels: list[Any],
    parts: list[int],
    disjoint: str | None,
) -> None:
    """Refuses parts that share a label, unless they share no example instead."""
    needed = {0, 2} if disjoint == EXAMPLES else {0}
    missing = sorted(needed - set(parts))
    if missing or len(set(parts)) < 2:
        held = ", ".join(repr(PARTS[place]) for place in sorted(set(parts)))
        wanted = "train and test" if disjoint == EXAMPLES else "train and another part"
        raise ValueError(
            f"The field that says the part must have rows of {wanted} in "
            f"{str(path)!r}. Received: {held} alone. Leave out split_field, and give "
            "split."
        )
    if disjoint == EXAMPLES:
        return
    first: dict[Any, tuple[int, int]] = {}
    for line, label, part in zip(lines, labels, parts, strict=True):
        where, before = first.setdefault(label, (part, line))
        if where != part:
            raise at_line(
                path,
                line,
                f"Parts must share no label. Received: the label {label!r} in "
                f"{PARTS[part]!r} here, and in {PARTS[where]!r} in line {before}. Set "
                'disjoint="examples" if the parts are to share their classes, or give '
                "split in place of split_field.",
            )


def _warn_of_empty(path: pathlib.Path, kept: np.ndarray, strip: Sequence[str]) -> None:
    lost = int(np.sum(~kept))
    if lost == len(kept):
        raise ValueError(
            f"strip={','.join(strip)} leaves nothing of any text in {str(path)!r}. "
            "Take off less; headers end at the first empty line."
        )
    if lost:
        warnings.warn(
            f"{lost} of {len(kept)} texts in {str(path)!r} are empty without their "
            f"{', '.join(strip)}, and are left out.",
            stacklevel=4,
        )
