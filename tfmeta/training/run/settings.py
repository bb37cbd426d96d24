"""What the numbers of a training run depend on, by name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

# Entries of a config that change no number, or that a checkpoint replaces. Keras counts
# names up in each process.
_NOT_TOLD = ("name", "dtype", "trainable", "draw", "seed")


def trainer_settings(trainer: Any, *, prepare: str) -> dict[str, Any]:
    """What a run that goes on must have in common with its beginning.

    Args:
        trainer: A `Trainer`.
        prepare: The fingerprint of the model's preparation.

    Returns:
        What `settings_of` returns. The rate of an optimizer that has taken steps is
        not among them, since a callback may have lowered it.
    """
    optimizer = trainer.model.optimizer
    told = settings_of(
        seed=trainer.seed,
        learner=trainer.model.learner,
        prepare=prepare,
        optimizer=optimizer,
        train=trainer.train,
        validation=trainer.validation,
        augment=trainer.augment,
        model_seed=getattr(trainer.model, "seed", None),
        log_every=trainer.log_every,
        validate_every=trainer.validate_every,
    )
    if int(optimizer.iterations):
        rates = [n for n in told if n.split(".")[0] == "optimizer" and "rate" in n]
        told = {name: value for name, value in told.items() if name not in rates}
    return told


def settings_of(**parts: Any) -> dict[str, Any]:
    """The settings of the parts of a training run.

    Args:
        **parts: Numbers, text, or objects. Of an object with a config, or of a
            dataclass, each entry is a setting, such as `optimizer.learning_rate`. Of a
            net one setting tells whether it is the same.

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
            if key == "net" and each is not None:
                yield f"{name}.net", f"net {digest(each)}"
            elif key not in _NOT_TOLD:
                yield from _told(f"{name}.{key}", each)


def digest(config: Any) -> str:
    """A short text that differs for nets of different layers, by whatever name.

    Args:
        config: What `keras.saving.serialize_keras_object` returned, or a net's config.
    """
    numbers: dict[str, int] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if isinstance(value.get("name"), str):
                numbers.setdefault(value["name"], len(numbers))
            return {
                key: plain(each)
                for key, each in value.items()
                if key != "seed" and not key.endswith("_initializer")
            }
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return numbers.get(value, value) if isinstance(value, str) else value

    text = json.dumps(plain(plain(config)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
