"""Keras configs that are read off the arguments of constructors."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from tfmeta.core.targets import Targets

_KEYWORD = (
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


class Configured:
    """Gives a Keras layer the config that its constructor asks for.

    The config has an entry for each argument of `__init__`, and for each keyword that a
    caller gave and `__init__` handed to a base class. The value of an entry is the
    attribute of the same name, which `__init__` must set. Keras adds `name`,
    `trainable` and `dtype`. Put this class before the Keras class among the bases.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remembers the names of the keywords that the caller gave."""
        instance = super().__new__(cls, *args, **kwargs)
        object.__setattr__(instance, "_given", tuple(kwargs))
        return instance

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make this object again."""
        config = super().get_config()  # type: ignore[misc]
        own = [*argument_names(type(self)), *self._given]  # type: ignore[attr-defined]
        own = [name for name in own if name not in config]
        return {**config, **{name: _plain(getattr(self, name)) for name in own}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes an object from what `get_config` returned."""
        return cls(**{name: _restored(value) for name, value in config.items()})


def argument_names(configured: type) -> list[str]:
    """The argument names of a class's constructor, without `self` and `**kwargs`."""
    parameters = inspect.signature(configured.__init__).parameters  # type: ignore[misc]
    return [
        name for name, p in parameters.items() if p.kind in _KEYWORD and name != "self"
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, keras.layers.Layer | Targets):
        return keras.saving.serialize_keras_object(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if "class_name" in value:
            return keras.saving.deserialize_keras_object(value)
        return {name: _restored(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_restored(each) for each in value]
    return value
