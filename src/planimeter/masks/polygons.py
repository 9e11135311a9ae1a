"""Masks as polygons, for tools that take nothing else."""

from itertools import pairwise
from typing import cast

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from planimeter.masks.window import WindowMask
from planimeter.measurement import Polygons


def polygons(mask: WindowMask) -> Polygons:
    """Return the outlines of the mask in pixels of the picture, where pixel i spans [i, i + 1].

    Each part is its outer ring followed by its holes; rings are not closed by repeating their first point.
    Lines run along the pixels' edges and cut corners, so areas differ a little from the mask's.
    """
    if not mask.pixels.any():
        return Polygons(polygons=[])
    padded = np.pad(mask.pixels, 1).astype(np.float32)
    parts, offsets = cast(
        "tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]",
        contour_generator(z=padded, fill_type=FillType.OuterOffset).filled(0.5, 2.0),
    )
    origin = np.array([mask.x - 0.5, mask.y - 0.5])
    return Polygons(
        polygons=[
            [_ring(points[first:last] + origin) for first, last in pairwise(ends)]
            for points, ends in zip(parts, offsets, strict=True)
        ]
    )


def _ring(points: NDArray[np.float64]) -> list[float]:
    """Return x0, y0, x1, y1, … without the repeated last point and without points on straight lines."""
    ring = points[:-1]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    corner = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return [float(value) for value in ring[corner].ravel()]
