"""The denominator: which pixels of a picture count."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planimeter.masks.window import EMPTY, Bools, WindowMask, trim


@dataclass(frozen=True, eq=False)
class Counted:
    """The pixels of a picture that every percentage is a percentage of: all of them, or those of a mask."""

    height: int
    width: int
    mask: Bools | None = None
    """[H, W]; None where every pixel counts."""

    @cached_property
    def pixels(self) -> int:
        """How many they are."""
        return self.height * self.width if self.mask is None else int(np.count_nonzero(self.mask))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return self.height, self.width

    def clip(self, mask: WindowMask) -> WindowMask:
        """Return what of a mask counts, in the smallest window that holds it; the mask itself where all of it does."""
        if self.mask is None or not mask.pixels.size:
            return mask
        pixels = mask.pixels & self.mask[mask.window]
        if int(np.count_nonzero(pixels)) == mask.area:
            return mask
        return trim(WindowMask(mask.x, mask.y, pixels)) if pixels.any() else EMPTY


@dataclass(frozen=True, eq=False)
class Scope:
    """What of a picture counts by what is asked of it, before a class narrows it down."""

    counted: Counted
    ignored: Mapping[str, int]
    """Pixels of the region that do not count, by their kind."""
