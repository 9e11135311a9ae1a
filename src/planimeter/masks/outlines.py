"""Masks as outlines along the edges of their pixels: exact, where `polygons` cuts corners."""

from itertools import pairwise
from typing import cast

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from planimeter.masks.window import WindowMask

Ring = NDArray[np.int64]
"""[N, 2]: corners x, y in pixels of the picture, the first not repeated; no three of them are on one line."""


def outlines(mask: WindowMask) -> list[list[Ring]]:
    """Return the parts of a mask, each its outer ring and then its holes.

    Pixel i spans [i, i + 1], so corners are whole numbers, and what holds a pixel's centre is that pixel. Pixels that
    touch at a corner only are of different parts. No ring touches itself; outer rings go clockwise on the screen,
    holes the other way.
    """
    if not mask.pixels.any():
        return []
    padded = np.pad(mask.pixels, 1).astype(np.float32)
    # At one half, each point of a contour is the middle of an edge between a pixel inside and one outside.
    parts, offsets = cast(
        "tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]",
        contour_generator(z=padded, fill_type=FillType.OuterOffset).filled(0.5, 2.0),
    )
    origin = np.array([mask.x, mask.y])
    return [
        _sorted(
            [ring for first, last in pairwise(ends) for ring in _simple(_corners(points[first:last]))], origin
        )
        for points, ends in zip(parts, offsets, strict=True)
    ]


def area(ring: Ring) -> float:
    """Return the pixels inside of a ring, negative where it goes against the clock on the screen."""
    x, y = ring[:, 0], ring[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def _corners(points: NDArray[np.float64]) -> Ring:
    """Return where edges of different direction meet, from the middles of all edges on the way."""
    middles = points[:-1]
    after = np.roll(middles, -1, axis=0)
    # Pixel centres are at whole numbers here: an upright edge has its middle at a whole y.
    upright = middles[:, 1] == np.floor(middles[:, 1])
    turns = upright != np.roll(upright, -1)
    x = np.where(upright, middles[:, 0], after[:, 0])[turns]
    y = np.where(upright, after[:, 1], middles[:, 1])[turns]
    # Half a pixel from centres to edges, and back by the one that was padded.
    return (np.stack([x, y], axis=1) + 0.5 - 1).astype(np.int64)


def _simple(ring: Ring) -> list[Ring]:
    """Return the rings that a ring consists of, cut where it meets itself at a corner."""
    corners = [(int(x), int(y)) for x, y in ring]
    if len(set(corners)) == len(corners):
        return [ring]
    found: list[Ring] = []
    way: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for corner in corners:
        if corner in place:
            start = place[corner]
            found.append(np.array(way[start:], np.int64))
            for left in way[start:]:
                del place[left]
            del way[start:]
        place[corner] = len(way)
        way.append(corner)
    found.append(np.array(way, np.int64))
    return found


def _sorted(rings: list[Ring], origin: NDArray[np.int64]) -> list[Ring]:
    """Return the outer ring and then the holes, in pixels of the picture."""
    outer = max(rings, key=lambda ring: abs(area(ring)))
    holes = [ring for ring in rings if ring is not outer]
    turned = [
        outer if area(outer) > 0 else outer[::-1],
        *(hole if area(hole) < 0 else hole[::-1] for hole in holes),
    ]
    return [ring + origin for ring in turned]
