"""Shapes that labelling tools draw, as pixels: a pixel belongs to a shape that holds its centre.

Coordinates are pixels of the picture, where pixel i spans [i, i + 1].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from planimeter.masks.rle import rle_window
from planimeter.masks.window import EMPTY, WindowMask
from planimeter.measurement import Rle

Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom."""
Corner = tuple[float, float]
"""x, y."""
FARTHEST = 1e6
"""Pixels: pycocotools needs memory in proportion to an outline's length, even where no picture is."""


@dataclass(frozen=True)
class Shape:
    """A part of an object."""

    bounds: Bounds
    draw: Callable[[int, int], WindowMask]
    """Takes the picture's height and width; raises `ValueError` where the shape is none."""
    shares: bool = False
    """Whether the bounds are shares of the picture's width and height instead of pixels."""


def unite(masks: Sequence[WindowMask]) -> WindowMask:
    """Return the union as the smallest window that holds it."""
    filled = [mask for mask in masks if mask.pixels.any()]
    if not filled:
        return EMPTY
    x, y = min(mask.x for mask in filled), min(mask.y for mask in filled)
    right = max(mask.x + mask.pixels.shape[1] for mask in filled)
    bottom = max(mask.y + mask.pixels.shape[0] for mask in filled)
    pixels = np.zeros((bottom - y, right - x), bool)
    for mask in filled:
        pixels[WindowMask(mask.x - x, mask.y - y, mask.pixels).window] |= mask.pixels
    return _trim(x, y, pixels)


def polygon(points: Any, *, shares: bool = False) -> Shape:
    """Return a polygon from its corners, [N, 2] or flat x0, y0, x1, y1, …; raises `ValueError`.

    Coordinates may be `shares` of the picture's width and height, as YOLO has them.
    """
    flat = numbers(points).ravel()
    if len(flat) < 6 or len(flat) % 2:
        raise ValueError(f"a polygon needs three corners or more, this one has {len(flat) / 2:g}")
    corners = flat.reshape(-1, 2)

    def draw(height: int, width: int) -> WindowMask:
        scaled = numbers(corners * (width, height)) if shares else corners
        encoded: Any = coco.frPyObjects([scaled.ravel().tolist()], height, width)
        return rle_window(Rle(size=(height, width), counts=encoded[0]["counts"].decode("ascii")))

    left, top, right, bottom = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).tolist()
    return Shape((left, top, right, bottom), draw, shares)


def with_holes(outline: Any, holes: Sequence[Any]) -> Shape:
    """Return a polygon without those that lie in it; raises `ValueError`."""
    whole, parts = polygon(outline), [polygon(hole) for hole in holes]

    def draw(height: int, width: int) -> WindowMask:
        mask = whole.draw(height, width)
        if not mask.area:
            return EMPTY
        pixels = mask.pixels.copy()
        for part in parts:
            hole = part.draw(height, width)
            rows, columns = hole.window
            inside = pixels[_within(rows, mask.y), _within(columns, mask.x)]
            inside &= ~hole.pixels[_from(hole.y, mask.y, len(inside)), _from(hole.x, mask.x, inside.shape[1])]
        return _trim(mask.x, mask.y, pixels)

    return Shape(whole.bounds, draw) if parts else whole


def even_odd(rings: Sequence[Any]) -> Shape:
    """Return what lies in an odd number of rings, as a path of several ones is filled; raises `ValueError`."""
    parts = [polygon(ring) for ring in rings]
    if not parts:
        raise ValueError("a path without a ring has no area")

    def draw(height: int, width: int) -> WindowMask:
        drawn = [mask for mask in (part.draw(height, width) for part in parts) if mask.area]
        around = unite([WindowMask(mask.x, mask.y, np.ones_like(mask.pixels)) for mask in drawn])
        pixels = np.zeros_like(around.pixels)
        for mask in drawn:
            pixels[WindowMask(mask.x - around.x, mask.y - around.y, mask.pixels).window] ^= mask.pixels
        return _trim(around.x, around.y, pixels)

    lows, highs = zip(*((part.bounds[:2], part.bounds[2:]) for part in parts), strict=True)
    left, top = np.min(lows, axis=0).tolist()
    right, bottom = np.max(highs, axis=0).tolist()
    return Shape((left, top, right, bottom), draw)


def _within(span: slice, origin: int) -> slice:
    """Return what of a span of the picture lies in a window that begins at `origin`."""
    return slice(max(span.start - origin, 0), max(span.stop - origin, 0))


def _from(start: int, origin: int, length: int) -> slice:
    """Return the same for an array that begins at `start` of the picture."""
    first = max(origin - start, 0)
    return slice(first, first + length)


def rectangle(left: float, top: float, right: float, bottom: float) -> Shape:
    """Return an upright rectangle."""
    left, top, right, bottom = numbers([left, top, right, bottom]).tolist()
    left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)

    def draw(height: int, width: int) -> WindowMask:
        (first, last), (low, high) = _span(left, right, width), _span(top, bottom, height)
        return WindowMask(first, low, np.ones((max(high - low, 0), max(last - first, 0)), bool))

    return Shape((left, top, right, bottom), draw)


def turned(left: float, top: float, width: float, height: float, *, degrees: float, about: Corner) -> Shape:
    """Return a rectangle that was turned clockwise on the screen around the point `about`."""
    if not degrees % 360:
        return rectangle(left, top, left + width, top + height)
    across, down = cos(radians(degrees)), sin(radians(degrees))
    x, y = about
    right, bottom = left + width, top + height
    corners = [(left - x, top - y), (right - x, top - y), (right - x, bottom - y), (left - x, bottom - y)]
    return polygon([(x + dx * across - dy * down, y + dx * down + dy * across) for dx, dy in corners])


def ellipse(x: float, y: float, radius_x: float, radius_y: float, theta: float = 0.0) -> Shape:
    """Return a filled ellipse around (x, y), turned clockwise on the screen by `theta` radians."""
    x, y, radius_x, radius_y, theta = numbers([x, y, radius_x, radius_y, theta]).tolist()
    if radius_x <= 0 or radius_y <= 0:
        raise ValueError(f"its radii are {radius_x:g} and {radius_y:g} and must be above 0")
    half_width = float(np.hypot(radius_x * cos(theta), radius_y * sin(theta)))
    half_height = float(np.hypot(radius_x * sin(theta), radius_y * cos(theta)))
    bounds = (x - half_width, y - half_height, x + half_width, y + half_height)

    def draw(height: int, width: int) -> WindowMask:
        (first, last), (low, high) = _span(bounds[0], bounds[2], width), _span(bounds[1], bounds[3], height)
        across = np.arange(first, last)[None] + 0.5 - x
        down = np.arange(low, high)[:, None] + 0.5 - y
        along = (across * cos(theta) + down * sin(theta)) / radius_x
        aside = (down * cos(theta) - across * sin(theta)) / radius_y
        return _trim(first, low, along**2 + aside**2 <= 1)

    return Shape(bounds, draw)


def bitmap(x: int, y: int, pixels: NDArray[np.bool_]) -> Shape:
    """Return the pixels [h, w] with their upper left one at (x, y) of the picture.

    Only the window that holds them is kept: many objects of one picture may come as masks of its full size.
    """
    mask = _trim(x, y, pixels)
    x, y, kept = mask.x, mask.y, mask.pixels

    def draw(height: int, width: int) -> WindowMask:
        inside = kept[max(-y, 0) : max(height - y, 0), max(-x, 0) : max(width - x, 0)]
        return _trim(max(x, 0), max(y, 0), inside)

    return Shape((x, y, x + kept.shape[1], y + kept.shape[0]), draw)


def numbers(values: Any) -> NDArray[np.float64]:
    """Return numbers, all of them finite; raises `ValueError`."""
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("its coordinates are not all numbers") from error
    if not np.isfinite(found).all():
        raise ValueError("a coordinate is not finite")
    if (np.abs(found) > FARTHEST).any():
        raise ValueError(f"a coordinate of {np.abs(found).max():g} is far outside of any picture")
    return found


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the pixels [first, last) of 0..size whose centres lie in [low, high)."""
    first, last = np.clip(np.ceil([low - 0.5, high - 0.5]), 0, size)
    return int(first), int(last)


def _trim(x: int, y: int, pixels: NDArray[np.bool_]) -> WindowMask:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return EMPTY
    top, left = int(rows[0]), int(columns[0])
    return WindowMask(x + left, y + top, pixels[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].copy())
