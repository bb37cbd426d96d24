"""Which examples are pictures, whose whole numbers become floats in 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def is_picture(shape: Sequence[int | None], dtype: Any) -> bool:
    """Whether examples are pictures: uint8 `(height, width, 1 or 3)`.

    Pictures become float32 in 0..1 on their way to a net. All other examples stay as
    they are, such as token ids and counts of dtype uint8.

    Args:
        shape: The shape of one example.
        dtype: The NumPy or TensorFlow dtype of the examples.

    Example:
        >>> is_picture((28, 28, 1), np.uint8), is_picture((28,), np.uint8)
        (True, False)
    """
    return len(shape) == 3 and shape[-1] in (1, 3) and dtype == np.uint8
