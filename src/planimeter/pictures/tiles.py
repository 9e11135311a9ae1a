"""Large pictures in overlapping tiles, so that objects keep the size at which the network knows them."""

from dataclasses import dataclass
from math import ceil

import numpy as np


@dataclass(frozen=True)
class Tile:
    """A window of a picture: pixels x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int


def list_tiles(height: int, width: int, side: int, overlap: int) -> list[Tile]:
    """Return square tiles of `side` pixels that cover a picture; neighbours share `overlap` pixels or more."""
    return [
        Tile(x0, y0, min(x0 + side, width), min(y0 + side, height))
        for y0 in _starts(height, side, overlap)
        for x0 in _starts(width, side, overlap)
    ]


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = ceil((length - overlap) / (side - overlap))
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]
