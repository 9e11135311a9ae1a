"""Large pictures in overlapping tiles, so that objects keep the size at which the network knows them.

An object that a tile's edge cuts is found whole in the neighbouring tile where it is no larger than the overlap;
the cut part of it is then dropped. A larger object stays in parts: their union is still its area.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from planimeter.masks import WindowMask, count_common

# A part that lies this much inside an instance already kept is the same object, seen twice.
SAME_OBJECT = 0.5


@dataclass(frozen=True)
class Tile:
    """A window of a picture: pixels x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Found:
    """One instance, in the picture's pixels: box x0, y0, x1, y1; label is a class id from 1."""

    box: tuple[float, float, float, float]
    label: int
    score: float
    mask: WindowMask


def list_tiles(height: int, width: int, side: int, overlap: int) -> list[Tile]:
    """Return square tiles of `side` pixels that cover a picture; neighbours share `overlap` pixels or more."""
    return [
        Tile(x0, y0, min(x0 + side, width), min(y0 + side, height))
        for y0 in _starts(height, side, overlap)
        for x0 in _starts(width, side, overlap)
    ]


def merge(parts: Sequence[tuple[Tile, Sequence[Found]]], height: int, width: int) -> list[Found]:
    """Return the instances of all tiles, each once, by falling score."""
    whole: list[tuple[Found, bool]] = []
    doubtful: list[tuple[Found, bool]] = []
    for tile, found in parts:
        others = [other for other, _ in parts if other != tile]
        for entry in found:
            shared = any(_meets(entry.box, other) for other in others)
            (doubtful if _is_cut(entry.box, tile, height, width) else whole).append((entry, shared))
    kept: list[Found] = []
    rivals: list[Found] = []
    for group in (whole, doubtful):
        for entry, shared in sorted(group, key=lambda item: -item[0].score):
            if shared and _is_known(entry, rivals):
                continue
            kept.append(entry)
            if shared:
                rivals.append(entry)
    return sorted(kept, key=lambda entry: -entry.score)


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = ceil((length - overlap) / (side - overlap))
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]


def _meets(box: tuple[float, float, float, float], tile: Tile) -> bool:
    return box[0] < tile.x1 and box[2] > tile.x0 and box[1] < tile.y1 and box[3] > tile.y0


def _is_cut(box: tuple[float, float, float, float], tile: Tile, height: int, width: int) -> bool:
    """Return whether a box touches an edge of its tile that is no edge of the picture."""
    near = 2.0
    return (
        (tile.x0 > 0 and box[0] < tile.x0 + near)
        or (tile.y0 > 0 and box[1] < tile.y0 + near)
        or (tile.x1 < width and box[2] > tile.x1 - near)
        or (tile.y1 < height and box[3] > tile.y1 - near)
    )


def _is_known(entry: Found, rivals: Sequence[Found]) -> bool:
    for other in rivals:
        if other.label == entry.label and _boxes_meet(entry.box, other.box):
            smaller = min(entry.mask.area, other.mask.area)
            if smaller and count_common(entry.mask, other.mask) > SAME_OBJECT * smaller:
                return True
    return False


def _boxes_meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and one[2] > other[0] and one[1] < other[3] and one[3] > other[1]
