"""Figures of an instance's shape, by the names and the definitions of `skimage.measure.regionprops`.

scikit-image itself would bring SciPy along, for three numbers; a test compares with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.window import Bools, WindowMask, trim

Points = NDArray[np.int64]
"""[N, 2] as row, column, in half pixels: the middle of each pixel's edge has whole coordinates then."""

# K. Benkrid, D. Crookes, "Design and FPGA Implementation of a Perimeter Estimator": the length that a pixel of the
# border adds, by its neighbours on the border: 1 for itself, 2 for each beside it, 10 for each at its corners.
_LENGTHS = np.zeros(50)
_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_LENGTHS[[21, 33]] = sqrt(2)
_LENGTHS[[13, 23]] = (1 + sqrt(2)) / 2


@dataclass(frozen=True)
class Shape:
    """Lengths in pixels."""

    equivalent_diameter_area: float
    """Of the disc of the same area."""
    perimeter: float
    feret_diameter_max: float
    """The longest diameter: the largest distance between two points of the outline."""
    circularity: float | None
    """4 pi area / perimeter²: about 1 for a disc, less for all else; None without a perimeter."""


def measure_shape(mask: WindowMask) -> Shape:
    """Return the figures of one mask; zeros where it is empty."""
    pixels = trim(mask).pixels
    if pixels.size == 0:
        return Shape(0.0, 0.0, 0.0, None)
    length = _perimeter(pixels)
    area = int(np.count_nonzero(pixels))
    circularity = 4 * pi * area / length**2 if length else None
    return Shape(sqrt(4 * area / pi), length, _feret_diameter_max(pixels), circularity)


def _perimeter(pixels: Bools) -> float:
    around = np.pad(pixels, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    border = np.pad((pixels & ~inner).astype(np.int16), 1)
    beside = border[:-2, 1:-1] + border[2:, 1:-1] + border[1:-1, :-2] + border[1:-1, 2:]
    corners = border[:-2, :-2] + border[:-2, 2:] + border[2:, :-2] + border[2:, 2:]
    kinds = border[1:-1, 1:-1] + 2 * beside + 10 * corners
    return float(np.bincount(kinds.ravel(), minlength=50) @ _LENGTHS)


def _feret_diameter_max(pixels: Bools) -> float:
    corners = _hull(_edge_middles(_convex(pixels)))
    steps = corners[:, np.newaxis] - corners[np.newaxis]
    return sqrt(int((steps**2).sum(axis=2).max())) / 2


def _convex(pixels: Bools) -> Bools:
    """Return the convex image: the pixels whose centre lies in the hull of all middles of pixel edges."""
    rows = np.flatnonzero(pixels.any(axis=1))
    first = pixels[rows].argmax(axis=1)
    last = pixels.shape[1] - 1 - pixels[rows, ::-1].argmax(axis=1)
    steps = ((0, -1), (0, 1), (-1, 0), (1, 0))
    ends = np.concatenate([np.stack([2 * rows, 2 * columns], 1) for columns in (first, last)])
    hull = _hull(np.concatenate([ends + step for step in steps]))
    low = np.full(len(pixels), -np.inf)
    high = np.full(len(pixels), np.inf)
    for (y0, x0), (y1, x1) in zip(hull.tolist(), np.roll(hull, -1, axis=0).tolist(), strict=True):
        if y0 == y1:
            continue
        y = 2 * np.arange(-(-min(y0, y1) // 2), max(y0, y1) // 2 + 1)
        # In whole numbers: a centre that lies exactly on the hull counts.
        top, bottom = (x0 * abs(y1 - y0) + (x1 - x0) * abs(y - y0)), 2 * abs(y1 - y0)
        if y1 > y0:  # the hull turns from rows to columns: downwards is its left side
            low[y // 2] = np.maximum(low[y // 2], -(-top // bottom))
        else:
            high[y // 2] = np.minimum(high[y // 2], top // bottom)
    columns = np.arange(pixels.shape[1])
    convex: Bools = (columns >= low[:, np.newaxis]) & (columns <= high[:, np.newaxis])
    return convex


def _edge_middles(convex: Bools) -> Points:
    """Return the middles of the outer pixel edges of a convex image."""
    height, width = convex.shape
    rows, columns = np.arange(height), np.arange(width)
    left, right = convex.argmax(axis=1), width - 1 - convex[:, ::-1].argmax(axis=1)
    top, bottom = convex.argmax(axis=0), height - 1 - convex[::-1].argmax(axis=0)
    return np.concatenate(
        [
            np.stack([2 * rows, 2 * left - 1], 1),
            np.stack([2 * rows, 2 * right + 1], 1),
            np.stack([2 * top - 1, 2 * columns], 1),
            np.stack([2 * bottom + 1, 2 * columns], 1),
        ]
    )


def _hull(points: Points) -> Points:
    """Return the corners of the convex hull, turning from rows to columns (A. M. Andrew, 1979)."""
    ordered = [(int(y), int(x)) for y, x in np.unique(points, axis=0)]
    return np.array([*_chain(ordered)[:-1], *_chain(ordered[::-1])[:-1]], np.int64)


def _chain(points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    chain: list[tuple[int, int]] = []
    for point in points:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(one: tuple[int, int], two: tuple[int, int], three: tuple[int, int]) -> int:
    return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])
