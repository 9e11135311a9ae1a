"""A mask as the window that holds it: an instance covers a small part of a picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Box = tuple[float, float, float, float]
BLOCK_PIXELS = 4_000_000
"""Pixels worked on at a time, so that what is done with a large picture takes no further picture of memory."""


@dataclass(frozen=True, eq=False)
class WindowMask:
    """The pixels of one instance inside a window of the picture, which lies wholly inside the picture."""

    x: int
    """Left column of the window in the picture."""
    y: int
    """Top row of the window in the picture."""
    pixels: Bools
    """[h, w]"""

    @cached_property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.pixels))

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the window in an array [H, W, ...] of the picture."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


def row_blocks(height: int, width: int, pixels: int = BLOCK_PIXELS) -> Iterator[slice]:
    """Yield the rows of an array [H, W] in blocks of about so many pixels, at least one row each."""
    step = max(1, pixels // max(1, width))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


EMPTY = WindowMask(0, 0, np.zeros((0, 0), bool))


def trim(mask: WindowMask) -> WindowMask:
    """Return the same mask in the smallest window that holds it."""
    pixels = mask.pixels
    height, width = pixels.shape
    if not pixels.size:
        return EMPTY
    rows, columns = np.any(pixels, axis=1), np.any(pixels, axis=0)
    top, left = int(rows.argmax()), int(columns.argmax())
    if not rows[top]:
        return EMPTY
    bottom, right = height - int(rows[::-1].argmax()), width - int(columns[::-1].argmax())
    return WindowMask(mask.x + left, mask.y + top, pixels[top:bottom, left:right])


def crop(mask: WindowMask, left: int, top: int, right: int, bottom: int) -> WindowMask:
    """Return what of a mask lies in a rectangle, in pixels of the picture still; `EMPTY` where nothing does."""
    rows, columns = mask.pixels.shape
    x0, y0 = max(mask.x, left), max(mask.y, top)
    x1, y1 = min(mask.x + columns, right), min(mask.y + rows, bottom)
    if x1 <= x0 or y1 <= y0:
        return EMPTY
    return WindowMask(x0, y0, mask.pixels[y0 - mask.y : y1 - mask.y, x0 - mask.x : x1 - mask.x])
