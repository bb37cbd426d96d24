"""What encoded pictures become when they are read."""

from __future__ import annotations

from typing import NamedTuple


class PictureFormat(NamedTuple):
    """The pixels that a picture of any size and kind becomes.

    Attributes:
        height: The height in pixels; the picture is resized, not cropped.
        width: The width in pixels.
        channels: 1 (grey) or 3 (colour).
        inverted: Whether dark and bright change places.
    """

    height: int
    width: int
    channels: int
    inverted: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the pixels, `(height, width, channels)`."""
        return self.height, self.width, self.channels
