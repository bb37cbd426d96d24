"""JSON that any reader can read, in files that are whole or not there."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tfmeta.whole_files import replacing


def to_json(content: Any, *, indent: int | None = None) -> str:
    """The text of plain numbers, texts, lists and dicts.

    JSON has no NaN and no infinity: they become null.

    Args:
        content: What to write.
        indent: Spaces a level; None for a single line.

    Returns:
        The text, without a line break at its end.
    """
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        ValueError: If there is no such file, or it is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read as JSON ({error}). Restore it from a copy."
        ) from error


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file, whole or not at all.

    Args:
        path: The file.
        content: As for `to_json`.

    Raises:
        OSError: If the file cannot be written.
    """
    with replacing(path) as file:
        file.write((to_json(content, indent=2) + "\n").encode())


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
