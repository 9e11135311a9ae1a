"""Objects that were found more than once, each to be counted once: by several tiles of a picture, or in one.

An object that a tile's edge cuts is found whole in the neighbouring tile where it is no larger than the overlap;
the cut part of it is then dropped. A larger object stays in parts: their union is still its area.

Within a tile the network compares boxes, and two boxes that differ enough for it may hold the same object: what their
masks share tells. This is non-maximum suppression by masks, the "mask NMS" of SOLOv2 (Wang et al. 2020, https://arxiv.org/abs/2003.10152).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.union import count_common
from planimeter.masks.window import Box, WindowMask
from planimeter.measuring.candidates import Candidate
from planimeter.pictures.tiles import Tile

# A part that lies this much inside an instance already kept is the same object, seen twice.
SAME_OBJECT = 0.5
_ROWS_AT_ONCE = 256
"""Candidates that are compared with all others at a time."""


def line_up(
    parts: Sequence[tuple[Tile, Sequence[Candidate]]], height: int, width: int, mask_nms_iou: float = 1
) -> list[Candidate]:
    """Return the candidates of all tiles in the order in which they are chosen, with their duplicates.

    Whole objects by falling score come first, then those cut by an edge of their tile. Two of one tile and class are
    one object from an IoU of `mask_nms_iou` on, in (0, 1]; with 1 never.
    """
    whole: list[Candidate] = []
    cut: list[Candidate] = []
    for number, (tile, found) in enumerate(parts):
        for entry in found:
            is_cut = len(parts) > 1 and _is_cut(entry.box, tile, height, width)
            placed = entry if entry.tile == number else replace(entry, tile=number)
            (cut if is_cut else whole).append(placed)
    ordered = [*sorted(whole, key=lambda entry: -entry.score), *sorted(cut, key=lambda entry: -entry.score)]
    if len(parts) == 1 and mask_nms_iou == 1:
        return ordered
    duplicates = _find_duplicates(ordered, [tile for tile, _ in parts], mask_nms_iou)
    return [
        replace(entry, duplicates=others) if others else entry
        for entry, others in zip(ordered, duplicates, strict=True)
    ]


def _find_duplicates(
    ordered: Sequence[Candidate], tiles: Sequence[Tile], mask_nms_iou: float
) -> list[tuple[int, ...]]:
    """Return for each candidate the earlier ones, by index, that are the same object."""
    shared = _in_two_tiles(ordered, tiles)
    compared = np.arange(len(ordered)) if mask_nms_iou < 1 else np.flatnonzero(shared)
    duplicates: list[tuple[int, ...]] = [()] * len(ordered)
    if not len(compared):
        return duplicates
    entries = [ordered[index] for index in compared.tolist()]
    masks, areas = [entry.mask for entry in entries], np.array([entry.mask.area for entry in entries])
    tile_of, of_two_tiles = np.array([entry.tile for entry in entries]), shared[compared]
    # Two masks of areas a and b share t / (1 + t) of a + b where their IoU is t.
    share = mask_nms_iou / (1 + mask_nms_iou)
    found: dict[int, list[int]] = {}
    for later, earlier, most in _pairs(entries):
        smaller, sums = np.minimum(areas[later], areas[earlier]), areas[later] + areas[earlier]
        part = np.where(of_two_tiles[later] & of_two_tiles[earlier], SAME_OBJECT * smaller, np.inf)
        twice = np.where(
            (tile_of[later] == tile_of[earlier]) & (mask_nms_iou < 1) & (sums > 0), share * sums, np.inf
        )
        for one, other, inside, alike in zip(
            *(array[(most > part) | (most >= twice)].tolist() for array in (later, earlier, part, twice)),
            strict=True,
        ):
            common = count_common(masks[one], masks[other])
            if common > inside or common >= alike:
                found.setdefault(int(compared[one]), []).append(int(compared[other]))
    for index, others in found.items():
        duplicates[index] = tuple(others)
    return duplicates


def _pairs(
    entries: Sequence[Candidate],
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Yield all two candidates of one class whose boxes meet, and the most pixels that they can share, as arrays.

    The later one comes first, and rises; then the earlier one rises.
    """
    x0, y0, x1, y1 = np.ascontiguousarray(np.array([entry.box for entry in entries]).T)
    windows = np.array([_window(entry.mask) for entry in entries])
    labels = np.array([entry.label for entry in entries])
    for start in range(0, len(entries), _ROWS_AT_ONCE):
        end = min(start + _ROWS_AT_ONCE, len(entries))
        rows, until = slice(start, end), slice(end)  # the earlier ones of each row are among these
        meet = np.tri(end - start, end, start - 1, bool)
        meet &= labels[rows, None] == labels[until]
        for low, high in ((x0, x1), (y0, y1)):
            meet &= low[rows, None] < high[until]
            meet &= high[rows, None] > low[until]
        later, earlier = np.nonzero(meet)
        later += start
        # What two masks share lies in what their windows share.
        ends = np.minimum(windows[later, 2:], windows[earlier, 2:])
        most = (ends - np.maximum(windows[later, :2], windows[earlier, :2])).clip(0).prod(axis=1)
        yield later, earlier, most


def _window(mask: WindowMask) -> tuple[int, int, int, int]:
    height, width = mask.pixels.shape
    return mask.x, mask.y, mask.x + width, mask.y + height


def _in_two_tiles(entries: Sequence[Candidate], tiles: Sequence[Tile]) -> NDArray[np.bool_]:
    """Return which boxes meet another tile than their own: [N]."""
    x0, y0, x1, y1 = np.array([entry.box for entry in entries]).reshape(-1, 4).T[:, :, None]
    left, top, right, bottom = np.array([(tile.x0, tile.y0, tile.x1, tile.y1) for tile in tiles]).T
    meets = (x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top)
    meets[np.arange(len(entries)), [entry.tile for entry in entries]] = False
    return np.asarray(meets.any(axis=1))


def _is_cut(box: Box, tile: Tile, height: int, width: int) -> bool:
    """Return whether a box touches an edge of its tile that is no edge of the picture."""
    near = 2.0
    return (
        (tile.x0 > 0 and box[0] < tile.x0 + near)
        or (tile.y0 > 0 and box[1] < tile.y0 + near)
        or (tile.x1 < width and box[2] > tile.x1 - near)
        or (tile.y1 < height and box[3] > tile.y1 - near)
    )
