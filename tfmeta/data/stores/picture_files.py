"""TEMP."""

from __future__ import annotations

from typing import Any

PictureFiles: Any = None
read_all: Any = None
unreadable: Any = None
