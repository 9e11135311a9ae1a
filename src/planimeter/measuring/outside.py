"""What of an instance lies outside of what counts: who corrects what was cut to it does not see that, and keeps it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from planimeter.corrections import Changes, Object, Shape
from planimeter.errors import ContradictoryOptions
from planimeter.masks.counted import Counted
from planimeter.masks.rle import rle_encode, rle_window
from planimeter.masks.window import WindowMask, row_blocks, trim
from planimeter.measurement import Rle
from planimeter.measuring.shape_masks import ShapeMasks

_BLOCK = 1_000_000
"""Pixels whose distances are known at a time: a few bytes each."""


def check_owners(found: Mapping[int, Object], changes: Changes) -> None:
    """Refuse shapes that keep what lies outside of instances which are not there."""
    kinds: dict[str, Sequence[Shape]] = {"replace": changes.replace, "add": changes.add}
    for kind, shapes in kinds.items():
        for number, shape in enumerate(shapes, start=1):
            for place, id_ in enumerate(shape.outside_of):
                where = f"outside_of of {kind} {number}"
                if id_ in shape.outside_of[:place]:
                    raise ContradictoryOptions(f"{where} names {id_} twice; name it once")
                if id_ not in found:
                    raise ContradictoryOptions(
                        f"{where} names {id_}, and no instance has that id; read the measurement again"
                    )


def whole_masks(
    found: Mapping[int, Object],
    counted: Counted,
    shapes: Sequence[Shape],
    masks: ShapeMasks,
    drawn: Sequence[Rle],
) -> list[Rle]:
    """Return each drawn mask with what lies outside of what counts of the instances that its shape names.

    Where several shapes name one instance, each pixel goes to the one whose drawn box is nearest, along rows and
    columns; of those that are as near, to the first. Raises what going over too many pixels raises.
    """
    whole = [*drawn]
    if counted.mask is None:
        return whole
    owners: dict[int, list[int]] = {}
    for place, shape in enumerate(shapes):
        for id_ in shape.outside_of:
            owners.setdefault(id_, []).append(place)
    for id_, places in owners.items():
        outside = _outside(rle_window(found[id_].mask), counted)
        if not outside.area:
            continue
        boxes = [trim(rle_window(drawn[place])) for place in places] if len(places) > 1 else []
        nearest = _nearest(outside, [(box.x, box.y, *box.pixels.shape) for box in boxes])
        for number, place in enumerate(places):
            masks.go_over(outside.pixels.size, f"outside_of {id_}")
            own = trim(WindowMask(outside.x, outside.y, outside.pixels & (nearest == number)))
            if own.area:
                whole[place] = rle_encode(_both(rle_window(whole[place]), own), *counted.size)
    return whole


def _outside(mask: WindowMask, counted: Counted) -> WindowMask:
    inside = counted.mask[mask.window] if counted.mask is not None else True
    return trim(WindowMask(mask.x, mask.y, mask.pixels & ~np.asarray(inside, bool)))


def _nearest(outside: WindowMask, boxes: Sequence[tuple[int, int, int, int]]) -> NDArray[np.uint16]:
    """Return [h, w]: which box (left, top, height, width) is nearest to each pixel of a window."""
    height, width = outside.pixels.shape
    nearest = np.zeros((height, width), np.uint16)
    columns = np.arange(outside.x, outside.x + width, dtype=np.int32)
    for rows in row_blocks(height, width, _BLOCK):
        lines = np.arange(outside.y + rows.start, outside.y + rows.stop, dtype=np.int32)
        least = np.full((len(lines), width), np.iinfo(np.int32).max, np.int32)
        for number, (left, top, tall, wide) in enumerate(boxes):
            gap = _gap(lines, top, tall)[:, None] + _gap(columns, left, wide)[None, :]
            nearest[rows][gap < least] = number
            np.minimum(gap, least, out=least)
    return nearest


def _gap(places: NDArray[np.int32], start: int, length: int) -> NDArray[np.int32]:
    """Return how far each place is from a stretch of so many, 0 within it."""
    gap: NDArray[np.int32] = np.maximum(np.maximum(start - places, places - (start + length - 1)), 0)
    return gap


def _both(one: WindowMask, other: WindowMask) -> WindowMask:
    """Return the union of two masks."""
    pairs = [mask for mask in (one, other) if mask.pixels.size]
    if len(pairs) < 2:
        return pairs[0] if pairs else one
    left, top = min(one.x, other.x), min(one.y, other.y)
    right = max(mask.x + mask.pixels.shape[1] for mask in pairs)
    bottom = max(mask.y + mask.pixels.shape[0] for mask in pairs)
    pixels = np.zeros((bottom - top, right - left), bool)
    for mask in pairs:
        rows, columns = mask.window
        pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= mask.pixels
    return WindowMask(left, top, pixels)
