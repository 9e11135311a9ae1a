"""Polygons in a picture's pixels as masks.

Pixel i spans i to i + 1. A pixel belongs to a polygon where its centre lies inside or exactly on its edge, which is
the rule of `skimage.draw.polygon2mask` for the same corners, half a pixel to the left and up.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import ContradictoryOptions, InvalidOption
from planimeter.masks.window import Bools, WindowMask, row_blocks, trim

Corners = Sequence[tuple[float, float]]
"""Of a polygon, as x and y."""
MOST_CORNERS = 2000
_BLOCK = 1 << 18
"""Of pairs of edges, or of rows that an edge crosses: how many are looked at together."""


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
        count = "1 corner" if len(points) == 1 else f"{len(points)} corners"
        raise InvalidOption(f"{name} has {count}; a polygon has three or more, each another point")
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    straight = before[:, 0] * after[:, 1] == before[:, 1] * after[:, 0]
    folds = straight & ((before * after).sum(axis=1) < 0)
    if straight.all():
        raise InvalidOption(
            f"{name} has all its corners on one line, and nothing inside; draw it around something"
        )
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
    """Return which two edges that are not neighbours share a point, by their first corners; None where none do.

    Of several pairs it is the one whose first edge comes first, then the second.
    """
    count, after = len(points), np.roll(points, -1, axis=0)
    least: int | None = None
    for one, other in _near_pairs(points, after):
        start, end, first, last = points[one], after[one], points[other], after[other]
        sides = _side(start, end, first) * _side(start, end, last)
        back = _side(first, last, start) * _side(first, last, end)
        meets = (sides <= 0) & (back <= 0)
        if meets.any():
            own = int((one[meets] * count + other[meets]).min())
            least = own if least is None else min(least, own)
    return None if least is None else divmod(least, count)


def _near_pairs(
    points: NDArray[np.float64], after: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield pairs of edges whose boxes share a point, without neighbours: their places, the smaller one first.

    Sorted by where they begin along one axis, those that an edge can reach follow it: few, along the better axis.
    """
    count, places = len(points), np.arange(len(points))
    low, high = np.minimum(points, after), np.maximum(points, after)
    orders = [np.argsort(low[:, axis], kind="stable") for axis in (0, 1)]
    ends = [
        np.searchsorted(low[order, axis], high[order, axis], side="right")
        for axis, order in enumerate(orders)
    ]
    axis = int(ends[1].sum() < ends[0].sum())
    order, reached = orders[axis], ends[axis] - places - 1
    for part in _in_parts(reached):
        own = reached[part]
        behind = np.arange(int(own.sum())) - np.repeat(np.cumsum(own) - own, own)
        place = np.repeat(places[part], own)
        pair = np.stack([order[place], order[place + 1 + behind]])
        one, other = pair.min(axis=0), pair.max(axis=0)
        neighbours = (other - one == 1) | ((one == 0) & (other == count - 1))
        apart = (high[other] < low[one]) | (low[other] > high[one])
        near = ~neighbours & ~apart.any(axis=1)
        yield one[near], other[near]


def _in_parts(lengths: NDArray[np.intp]) -> Iterator[slice]:
    """Yield stretches of what has so many entries each, with not many more than `_BLOCK` in one."""
    sums = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        before = int(sums[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(sums, before + _BLOCK, side="right")))
        yield slice(start, stop)
        start = stop


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
    after = np.roll(points, -1, axis=0)
    level = points[:, 1] == after[:, 1]
    _mark_level(edge, points[level], after[level], top)
    start, end = points[~level], after[~level]
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    middles = np.arange(top, bottom) + 0.5
    first = np.searchsorted(middles, low)
    reached = np.searchsorted(middles, high, side="right") - first
    for part in _in_parts(reached):
        own = reached[part]
        place = np.repeat(np.arange(part.start, part.stop), own)
        row = first[place] + np.arange(len(place)) - np.repeat(np.cumsum(own) - own, own)
        middle, (x0, y0), (x1, y1) = middles[row], start[place].T, end[place].T
        meets = x0 + (middle - y0) * (x1 - x0) / (y1 - y0) - 0.5  # in columns: whole on a centre
        column = np.ceil(meets)
        on = (column == meets) & (column >= 0) & (column < width)
        edge[row[on], column[on].astype(np.intp)] = True
        crossed = middle < high[place]  # of an edge's two ends the upper one belongs to it
        columns = np.clip(column[crossed], 0, width).astype(np.intp)
        np.add.at(turns.reshape(-1), row[crossed] * (width + 1) + columns, np.uint8(1))  # 256 are even, too
    # A pixel is inside where an odd number of edges lies to its right.
    right = np.bitwise_xor.accumulate(turns[:, ::-1] & 1, axis=1)[:, ::-1]
    inside: Bools = right[:, 1:].astype(bool) | edge
    return inside


def _mark_level(edge: Bools, start: NDArray[np.float64], end: NDArray[np.float64], top: int) -> None:
    """Set the pixels whose centres lie on edges along a row; row 0 of `edge` is row `top` of the picture."""
    rows = start[:, 1] - 0.5 - top
    on = (rows == np.floor(rows)) & (rows >= 0) & (rows < len(edge))
    left, right = np.minimum(start[on, 0], end[on, 0]), np.maximum(start[on, 0], end[on, 0])
    ends = np.stack([rows[on], np.maximum(0, np.ceil(left - 0.5)), np.floor(right - 0.5)], 1)
    for row, first, last in ends.astype(np.intp).tolist():
        edge[row, first : last + 1] = True
