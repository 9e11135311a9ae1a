"""Polygons in a picture's pixels as masks.

Pixel i spans i to i + 1. A pixel belongs to a polygon where its centre lies inside or exactly on its edge, which is
the rule of `skimage.draw.polygon2mask` for the same corners, half a pixel to the left and up.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import ContradictoryOptions, InvalidOption
from planimeter.masks.window import Bools, WindowMask, row_blocks, trim

Corners = Sequence[tuple[float, float]]
"""Of a polygon, as x and y."""
MOST_CORNERS = 2000


def polygons_mask(polygons: Sequence[Corners], height: int, width: int) -> Bools:
    """Return [H, W]: the pixels of any of the polygons, which `check_polygon` has passed."""
    mask = np.zeros((height, width), bool)
    _fill(mask, 0, polygons, height)
    return mask


def polygons_window(polygons: Sequence[Corners], height: int, width: int) -> WindowMask:
    """Return the same in the smallest window, without making more of the picture than the rows that they reach."""
    rows = [rows_of(corners, height) for corners in polygons]
    top, bottom = min(span.start for span in rows), max(span.stop for span in rows)
    mask = np.zeros((bottom - top, width), bool)
    _fill(mask, top, polygons, height)
    return trim(WindowMask(0, top, mask))


def rows_of(corners: Corners, height: int) -> range:
    """Return the rows of a picture that a polygon can reach."""
    ys = [y for _, y in corners]
    return range(max(0, floor(min(ys))), min(height, ceil(max(ys)) + 1))


def _fill(mask: Bools, first: int, polygons: Sequence[Corners], height: int) -> None:
    """Set the pixels of the polygons in a mask whose first row is row `first` of the picture."""
    width = mask.shape[1]
    for corners in polygons:
        reached = rows_of(corners, height)
        for rows in row_blocks(len(reached), width):
            top, bottom = reached.start + rows.start, reached.start + rows.stop
            mask[top - first : bottom - first] |= _rows(np.array(corners, np.float64), top, bottom, width)


def check_polygon(corners: Corners, name: str, height: int, width: int) -> None:
    """Refuse a polygon that leaves the picture, that crosses or touches itself, or that is none."""
    if len(corners) > MOST_CORNERS:
        raise InvalidOption(f"{name} has {len(corners):,} corners and may have {MOST_CORNERS:,}")
    for x, y in corners:
        if not (0 <= x <= width and 0 <= y <= height):
            raise ContradictoryOptions(
                f"{name} has a corner at ({x:g}, {y:g}), outside the picture of {width:,} x {height:,} pixels; "
                "all its corners must lie in it"
            )
    points = _distinct(corners)
    if len(points) < 3:
        raise InvalidOption(
            f"{name} has {len(points)} corners; a polygon has three or more, each another point"
        )
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    straight = before[:, 0] * after[:, 1] == before[:, 1] * after[:, 0]
    folds = straight & ((before * after).sum(axis=1) < 0)
    if folds.any():
        x, y = points[int(np.argmax(folds))].tolist()
        raise InvalidOption(f"{name} folds back on itself at ({x:g}, {y:g}); leave that corner out")
    crossing = _crossing(points)
    if crossing is not None:
        one, other = (f"({x:g}, {y:g})" for x, y in points[list(crossing)].tolist())
        raise InvalidOption(
            f"{name} crosses or touches itself: its edge from {one} meets the one from {other}; give the parts as "
            "polygons of their own"
        )


def _distinct(corners: Corners) -> NDArray[np.float64]:
    """Return the corners without those that repeat the one before, as a closed ring's last repeats its first."""
    if not corners:
        return np.empty((0, 2))
    ring = [corners[0], *(after for before, after in pairwise(corners) if after != before)]
    while len(ring) > 1 and ring[-1] == ring[0]:
        ring.pop()
    return np.array(ring, np.float64)


def _crossing(points: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return which two edges that are not neighbours share a point, by their first corners; None where none do."""
    count = len(points)
    after = np.roll(points, -1, axis=0)
    for index in range(count - 2):
        others = np.arange(index + 2, count - (index == 0))
        start, end = points[index], after[index]
        first, last = points[others], after[others]
        sides = _side(start, end, first), _side(start, end, last)
        back = _side(first, last, start), _side(first, last, end)
        low, high = np.minimum(start, end), np.maximum(start, end)
        apart = (np.maximum(first, last) < low) | (np.minimum(first, last) > high)
        meets = (sides[0] * sides[1] <= 0) & (back[0] * back[1] <= 0) & ~apart.any(axis=1)
        if meets.any():
            return index, int(others[int(np.argmax(meets))])
    return None


def _side(
    start: NDArray[np.float64], end: NDArray[np.float64], point: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return on which side of a line points lie: -1, 0 or 1."""
    across = (end[..., 0] - start[..., 0]) * (point[..., 1] - start[..., 1])
    down = (end[..., 1] - start[..., 1]) * (point[..., 0] - start[..., 0])
    side: NDArray[np.float64] = np.sign(across - down)
    return side


def _rows(points: NDArray[np.float64], top: int, bottom: int, width: int) -> Bools:
    """Return [bottom - top, W] of one polygon: inside where an odd number of edges lies to the right."""
    turns = np.zeros((bottom - top, width + 1), np.uint8)
    edge = np.zeros((bottom - top, width), bool)
    middles = np.arange(top, bottom) + 0.5
    for (x0, y0), (x1, y1) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        if y0 == y1:
            for row in np.flatnonzero(middles == y0):
                first, last = np.ceil(min(x0, x1) - 0.5), np.floor(max(x0, x1) - 0.5)
                edge[row, max(0, int(first)) : int(last) + 1] = True
            continue
        rows = np.flatnonzero((middles >= min(y0, y1)) & (middles <= max(y0, y1)))
        meets = x0 + (middles[rows] - y0) * (x1 - x0) / (y1 - y0) - 0.5  # in columns: whole on a centre
        column = np.ceil(meets)
        on = (column == meets) & (column >= 0) & (column < width)
        edge[rows[on], column[on].astype(np.intp)] = True
        crossed = middles[rows] < max(y0, y1)  # of an edge's two ends the upper one belongs to it
        np.bitwise_xor.at(turns, (rows[crossed], np.clip(column[crossed], 0, width).astype(np.intp)), 1)
    # A pixel is inside where an odd number of edges lies to its right.
    right = np.bitwise_xor.accumulate(turns[:, ::-1], axis=1)[:, ::-1]
    inside: Bools = right[:, 1:].astype(bool) | edge
    return inside
