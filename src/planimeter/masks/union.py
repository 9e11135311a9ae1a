"""Exact unions of masks, and maps of them. What needs a canvas makes one for all, never one for each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InvalidOption
from planimeter.masks.counted import Counted
from planimeter.masks.window import Bools, WindowMask, crop
from planimeter.measurement import percent

Marks = TypeVar("Marks", bound=np.generic)
Frame = tuple[int, int, int, int]
"""Left, top, right and bottom of a window, in pixels."""
BLOCK_SIDE = 1024
"""Pixels: unions are counted in blocks of the picture of this side, but where all masks are in a smaller window."""


@dataclass(frozen=True)
class CoverageCounts:
    """Pixels counted over the union of all masks."""

    masked: int
    overlapping: int
    """Pixels under two masks or more."""
    by_class: tuple[int, ...]
    """The union of each class; index 0 is class id 1."""


def count_coverage(
    masks: Sequence[WindowMask], labels: Sequence[int], height: int, width: int, classes: int
) -> CoverageCounts:
    """Return exact counts over the unions: of all masks, and of those of each class id 1..`classes`.

    Two arrays of bool, "masked" and "masked before", of one block of the picture are all the memory that is needed.
    """
    _check(masks, height, width)
    if any(not 1 <= label <= classes for label in labels):
        raise InvalidOption(f"a label is not a class id from 1 to {classes}: {sorted(set(labels))}")
    masked, overlapping = _count_union(masks)
    return CoverageCounts(masked, overlapping, _count_classes(masks, labels, classes, masked))


def cover_percents(
    masks: Sequence[WindowMask], labels: Sequence[int], counted: Counted, classes: int
) -> NDArray[np.float64]:
    """Return the percent covered by the union of all masks, then by that of each class: [1 + classes]."""
    masked = _count_masked(masks)
    counts = (masked, *_count_classes(masks, labels, classes, masked))
    return np.array([percent(pixels, counted.pixels) for pixels in counts])


def _count_classes(
    masks: Sequence[WindowMask], labels: Sequence[int], classes: int, masked: int
) -> tuple[int, ...]:
    """Return the pixels under the masks of each class, where `masked` are under those of all."""
    present = set(labels)
    of_class = {
        class_id: masked
        if len(present) == 1
        else _count_masked([mask for mask, label in zip(masks, labels, strict=True) if label == class_id])
        for class_id in present
    }
    return tuple(of_class.get(class_id, 0) for class_id in range(1, classes + 1))


def _count_masked(masks: Sequence[WindowMask]) -> int:
    """Return the pixels under any mask."""
    masked = 0
    for part, (x, y, right, bottom) in _parts(masks):
        union = np.zeros((bottom - y, right - x), bool)
        for mask in part:
            height, width = mask.pixels.shape
            top, left = mask.y - y, mask.x - x
            union[top : top + height, left : left + width] |= mask.pixels
        masked += int(np.count_nonzero(union))
    return masked


def _count_union(masks: Sequence[WindowMask]) -> tuple[int, int]:
    """Return the pixels under one mask or more, and under two or more."""
    masked = overlapping = 0
    for part, (x, y, right, bottom) in _parts(masks):
        union, again = np.zeros((2, bottom - y, right - x), bool)
        for mask in part:
            height, width = mask.pixels.shape
            top, left = mask.y - y, mask.x - x
            here = slice(top, top + height), slice(left, left + width)
            again[here] |= union[here] & mask.pixels
            union[here] |= mask.pixels
        masked += int(np.count_nonzero(union))
        overlapping += int(np.count_nonzero(again))
    return masked, overlapping


def _parts(masks: Sequence[WindowMask]) -> Iterator[tuple[list[WindowMask], Frame]]:
    """Yield masks by the block of the picture that they lie in, those of several blocks cut, each with their frame.

    No block has a pixel of another, and where nothing lies there is none: the canvases of a picture of 50 megapixels
    with a few masks would be mostly empty. Masks that are near each other are one part as they are.
    """
    there = [mask for mask in masks if mask.pixels.size]
    if not there:
        return
    x, y, right, bottom = frame = _frame(there)
    if (right - x) * (bottom - y) <= BLOCK_SIDE**2:
        yield there, frame
        return
    blocks: defaultdict[tuple[int, int], list[WindowMask]] = defaultdict(list)
    for mask in there:
        rows, columns = mask.pixels.shape
        for row in range(mask.y // BLOCK_SIDE, (mask.y + rows - 1) // BLOCK_SIDE + 1):
            for column in range(mask.x // BLOCK_SIDE, (mask.x + columns - 1) // BLOCK_SIDE + 1):
                left, top = column * BLOCK_SIDE, row * BLOCK_SIDE
                part = crop(mask, left, top, left + BLOCK_SIDE, top + BLOCK_SIDE)
                blocks[row, column].append(part)
    for parts in blocks.values():
        yield parts, _frame(parts)


def _frame(masks: Sequence[WindowMask]) -> Frame:
    """Return the smallest window that holds those of all; none is empty."""
    windows = [(mask.x, mask.y, *mask.pixels.shape) for mask in masks]
    return (
        min(x for x, _, _, _ in windows),
        min(y for _, y, _, _ in windows),
        max(x + width for x, _, _, width in windows),
        max(y + height for _, y, height, _ in windows),
    )


def count_common(one: WindowMask, other: WindowMask) -> int:
    """Return how many pixels two masks of the same picture share."""
    x0, y0 = max(one.x, other.x), max(one.y, other.y)
    x1 = min(one.x + one.pixels.shape[1], other.x + other.pixels.shape[1])
    y1 = min(one.y + one.pixels.shape[0], other.y + other.pixels.shape[0])
    if x1 <= x0 or y1 <= y0:
        return 0
    mine = one.pixels[y0 - one.y : y1 - one.y, x0 - one.x : x1 - one.x]
    others = other.pixels[y0 - other.y : y1 - other.y, x0 - other.x : x1 - other.x]
    return int(np.count_nonzero(mine & others))


def union_mask(masks: Sequence[WindowMask], height: int, width: int) -> Bools:
    """Return [H, W]: the pixels under any mask."""
    _check(masks, height, width)
    union = np.zeros((height, width), bool)
    for mask in masks:
        union[mask.window] |= mask.pixels
    return union


def class_map(
    masks: Sequence[WindowMask], labels: Sequence[int], height: int, width: int
) -> NDArray[np.uint8]:
    """Return [H, W]: the class id of each pixel, 0 where there is none; where masks overlap, the first's."""
    if any(not 1 <= label <= 255 for label in labels):
        raise InvalidOption("a class map holds class ids from 1 to 255")
    return mark(masks, labels, np.zeros((height, width), np.uint8))


def instance_map(
    masks: Sequence[WindowMask], height: int, width: int, ids: Sequence[int] | None = None
) -> NDArray[np.uint16]:
    """Return [H, W]: the id of the mask at each pixel, 0 where there is none; where masks overlap, the first's.

    Without `ids` they are 1, 2, ….
    """
    ids = range(1, len(masks) + 1) if ids is None else ids
    if max(ids, default=0) > 65535:
        raise InvalidOption(f"an instance map holds ids up to 65,535, not {max(ids):,}")
    return mark(masks, ids, np.zeros((height, width), np.uint16))


def mark(masks: Sequence[WindowMask], values: Sequence[int], canvas: NDArray[Marks]) -> NDArray[Marks]:
    """Write a value to the pixels of each mask on `canvas` [H, W], and return it; where masks overlap, the first's."""
    _check(masks, *canvas.shape)
    for mask, value in zip(reversed(masks), reversed(values), strict=True):
        canvas[mask.window][mask.pixels] = value
    return canvas


def _check(masks: Sequence[WindowMask], height: int, width: int) -> None:
    """Refuse a window that leaves the picture: NumPy would silently wrap it round or cut it."""
    for mask in masks:
        rows, columns = mask.pixels.shape
        if mask.x < 0 or mask.y < 0 or mask.x + columns > width or mask.y + rows > height:
            raise InvalidOption(
                f"a window of {columns} x {rows} at ({mask.x}, {mask.y}) leaves the picture of "
                f"{width} x {height}"
            )
