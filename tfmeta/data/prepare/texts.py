"""Checks of examples that are texts."""

from __future__ import annotations

import numpy as np

from tfmeta.data.nested import holds_texts


def check_texts(name: str, array: np.ndarray) -> None:
    """Refuses texts that are empty, and what is no text among texts.

    Args:
        name: The name of the examples in an error.
        array: `(examples, ...)`; an array of numbers passes.

    Raises:
        ValueError: If an example is no text, or is empty; the error names the first.
    """
    if not holds_texts(array):
        return
    for place, each in enumerate(array.flat):
        number = place // (array.size // len(array))
        if not isinstance(each, str | bytes):
            raise ValueError(
                f"{name} must hold texts alone. Received: {each!r} as example number "
                f"{number}, counted from 0. Fill it in, or leave it out."
            )
        if not each.strip():
            raise ValueError(
                f"{name} must hold no empty text. Received: {each!r} as example number "
                f"{number}, counted from 0. Fill it in, or leave it out."
            )
