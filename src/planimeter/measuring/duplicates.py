"""Objects that several tiles of a large picture show, each to be counted once.

An object that a tile's edge cuts is found whole in the neighbouring tile where it is no larger than the overlap;
the cut part of it is then dropped. A larger object stays in parts: their union is still its area.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planimeter.masks.union import count_common
from planimeter.masks.window import Box, WindowMask
from planimeter.measuring.candidates import Candidate
from planimeter.pictures.tiles import Tile

# A part that lies this much inside an instance already kept is the same object, seen twice.
SAME_OBJECT = 0.5


def line_up(parts: Sequence[tuple[Tile, Sequence[Candidate]]], height: int, width: int) -> list[Candidate]:
    """Return the candidates of all tiles in the order in which they are chosen, with their duplicates.

    Whole objects by falling score come first, then those cut by an edge of their tile.
    """
    whole: list[Candidate] = []
    cut: list[Candidate] = []
    for number, (tile, found) in enumerate(parts):
        for entry in found:
            is_cut = len(parts) > 1 and _is_cut(entry.box, tile, height, width)
            (cut if is_cut else whole).append(replace(entry, tile=number))
    ordered = [*sorted(whole, key=lambda entry: -entry.score), *sorted(cut, key=lambda entry: -entry.score)]
    if len(parts) == 1:
        return ordered
    duplicates = _find_duplicates(ordered, [tile for tile, _ in parts])
    return [replace(entry, duplicates=others) for entry, others in zip(ordered, duplicates, strict=True)]


def _find_duplicates(ordered: Sequence[Candidate], tiles: Sequence[Tile]) -> list[tuple[int, ...]]:
    """Return for each candidate the earlier ones, by index, that are the same object."""
    duplicates: list[tuple[int, ...]] = [()] * len(ordered)
    shared = [
        index
        for index, entry in enumerate(ordered)
        if any(_meets(entry.box, tile) for number, tile in enumerate(tiles) if number != entry.tile)
    ]
    if not shared:
        return duplicates
    boxes = np.array([ordered[index].box for index in shared])
    labels = np.array([ordered[index].label for index in shared])
    for place, index in enumerate(shared):
        x0, y0, x1, y1 = boxes[place]
        earlier = boxes[:place]
        meet = (x0 < earlier[:, 2]) & (x1 > earlier[:, 0]) & (y0 < earlier[:, 3]) & (y1 > earlier[:, 1])
        near = np.flatnonzero(meet & (labels[:place] == labels[place])).tolist()
        mask = ordered[index].mask
        duplicates[index] = tuple(
            shared[other] for other in near if _is_same(mask, ordered[shared[other]].mask)
        )
    return duplicates


def _meets(box: Box, tile: Tile) -> bool:
    return box[0] < tile.x1 and box[2] > tile.x0 and box[1] < tile.y1 and box[3] > tile.y0


def _is_cut(box: Box, tile: Tile, height: int, width: int) -> bool:
    """Return whether a box touches an edge of its tile that is no edge of the picture."""
    near = 2.0
    return (
        (tile.x0 > 0 and box[0] < tile.x0 + near)
        or (tile.y0 > 0 and box[1] < tile.y0 + near)
        or (tile.x1 < width and box[2] > tile.x1 - near)
        or (tile.y1 < height and box[3] > tile.y1 - near)
    )


def _is_same(one: WindowMask, other: WindowMask) -> bool:
    smaller = min(one.area, other.area)
    return smaller > 0 and count_common(one, other) > SAME_OBJECT * smaller
