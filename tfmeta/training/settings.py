"""What the numbers of a training run depend on, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

# Entries of a config that change no number: Keras counts names up in each process, and
# a net is recognised by its weights.
_NOT_TOLD = ("name", "net", "dtype", "trainable", "draw")


def settings_of(**parts: Any) -> dict[str, Any]:
    """The settings of the parts of a training run.

    Args:
        **parts: Numbers or text; Keras objects, learners and streams, of which the
            entries of their config are told, such as `optimizer.learning_rate`.

    Returns:
        A dict of values that JSON can hold.
    """
    return {name: value for part in parts.items() for name, value in _told(*part)}


def _told(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, float):
        yield name, float(f"{value:.6g}")  # A rate in float32 is a rounded number.
    elif value is None or isinstance(value, bool | int | str):
        yield name, value
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _told(f"{name}[{place}]", each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _told(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, dict):
        # A serialised Keras object, inside the config of another one.
        if "class_name" in value:
            yield name, value["class_name"]
            value = value.get("config") or {}
        yield from _entries(name, value)
    elif hasattr(value, "get_config"):
        yield name, type(value).__name__
        yield from _entries(name, value.get_config())


def _entries(name: str, config: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(config, dict):
        for key, each in config.items():
            if key not in _NOT_TOLD:
                yield from _told(f"{name}.{key}", each)
