"""A mask as the window that holds it: an instance covers a small part of a picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Box = tuple[float, float, float, float]
BLOCK_PIXELS = 4_000_000
"""Pixels interpolated at a time, so that a mask as large as the picture needs no float canvas."""


@dataclass(frozen=True, eq=False)
class WindowMask:
    """The pixels of one instance inside a window of the picture, which lies wholly inside the picture."""

    x: int
    """Left column of the window in the picture."""
    y: int
    """Top row of the window in the picture."""
    pixels: Bools
    """[h, w]"""

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.pixels))

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the window in an array [H, W, ...] of the picture."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


EMPTY = WindowMask(0, 0, np.zeros((0, 0), bool))


def trim(mask: WindowMask) -> WindowMask:
    """Return the same mask in the smallest window that holds it."""
    rows, columns = np.flatnonzero(mask.pixels.any(1)), np.flatnonzero(mask.pixels.any(0))
    if len(rows) == 0:
        return EMPTY
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return WindowMask(mask.x + int(left), mask.y + int(top), mask.pixels[top:bottom, left:right])
