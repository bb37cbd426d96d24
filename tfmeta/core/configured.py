"""Keras configs that are read off the arguments of constructors."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from tfmeta.core.episode import shapes
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
        own = [name for name in self.arguments() if name not in config]
        return {**config, **{name: _plain(getattr(self, name)) for name in own}}

    def arguments(self) -> list[str]:
        """The names of the arguments that the config has, each an attribute."""
        return [*argument_names(type(self)), *self._given]  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        """The class with those arguments that differ from their defaults."""
        parameters = inspect.signature(type(self).__init__).parameters
        defaults = {
            name: parameters[name].default for name in argument_names(type(self))
        }
        told = [
            f"{name}={short(value)}"
            for name in self.arguments()
            if name in defaults
            and not same(value := getattr(self, name, None), defaults[name])
        ]
        return f"{type(self).__name__}({', '.join(dict.fromkeys(told))})"

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


def same(value: Any, default: Any) -> bool:
    """Whether an attribute has its argument's default value.

    Args:
        value: The attribute.
        default: The default of the constructor's argument.
    """
    plain = isinstance(value, str | bool | int | float | tuple | list | Targets)
    return value is default or (plain and value == default)


def short(value: Any) -> str:
    """An argument's value in a few words: a net is its name, an array its shape.

    Args:
        value: What a constructor was given.

    Example:
        >>> import numpy as np
        >>> short([0.1, np.zeros((3, 4), "float32"), "a"])
        "[0.1, float32 (3, 4), 'a']"
    """
    if type(value).__repr__ is keras.layers.Layer.__repr__:
        return str(value.name)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(short, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {short(v)}' for k, v in value.items())}}}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return shapes(value)
    if inspect.isroutine(value) or isinstance(value, type):
        return str(value.__name__)
    return repr(value)


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
