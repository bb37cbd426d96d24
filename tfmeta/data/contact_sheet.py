"""A picture of many examples, to look at a data set."""

from __future__ import annotations

import numpy as np

from tfmeta.data.nested import array_shape
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.split import Split

_GAP = 2  # pixels between two pictures
_GREY = 96  # their value


def contact_sheet(split: Split, *, classes: int = 10, drawings: int = 12) -> np.ndarray:
    """Puts examples of a split into one picture, a row for each class.

    The classes are spread evenly over the split; of each the first examples are shown.
    Show it with `PIL.Image.fromarray` or `plt.imshow`.

    Args:
        split: A split of images, uint8 `(examples, height, width, channels)` with 1
            or 3 channels.
        classes: The number of rows, at most that of the split's classes.
        drawings: The number of columns, at most that of the examples of the smallest
            class shown.

    Returns:
        `(rows, columns)` or, with 3 channels, `(rows, columns, 3)` uint8.

    Raises:
        ValueError: Where the split has no such images, or too few.

    Example:
        >>> x = np.zeros((6, 8, 8, 1), np.uint8)
        >>> split = Split("train", x, np.repeat(np.arange(2), 3), ("a", "b"))
        >>> contact_sheet(split, classes=2, drawings=3).shape
        (22, 32)
    """
    shape = array_shape(split.example_shape, split.dtype) or ()
    if not is_picture(shape, split.dtype):
        raise ValueError(
            "A contact sheet needs uint8 images (height, width, 1 or 3). Received: "
            f"examples of shape {split.example_shape}, dtype {split.dtype}. Use a "
            "split of such images."
        )
    if not 1 <= classes <= split.num_classes:
        raise ValueError(
            f"classes must be in 1..{split.num_classes}, the classes of split "
            f"{split.name!r}. Received: {classes}."
        )
    chosen = np.arange(classes) * split.num_classes // classes
    most = int(split.counts[chosen].min())
    if not 1 <= drawings <= most:
        raise ValueError(
            f"drawings must be in 1..{most}, the examples of the smallest class shown. "
            f"Received: {drawings}."
        )
    cells = split.x[split.starts[chosen][:, None] + np.arange(drawings)]
    edge = ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0))
    cells = np.pad(cells, edge, constant_values=_GREY)
    rows, columns, height, width, channels = cells.shape
    sheet = cells.transpose(0, 2, 1, 3, 4)
    sheet = sheet.reshape(rows * height, columns * width, channels)
    sheet = np.pad(sheet, ((_GAP, 0), (_GAP, 0), (0, 0)), constant_values=_GREY)
    return sheet[..., 0] if channels == 1 else sheet
