"""Masks as windows: pasting, run-length encoding, exact unions, maps and polygons.

An instance covers a small part of a picture, so its mask is kept as the window that holds it. Nothing here
makes a full canvas for each instance; what needs a canvas makes one for all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, cast, overload

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from pycocotools import mask as coco

from planimeter.errors import InferenceFailed, InvalidOption
from planimeter.measurement import Polygons, Rle

Bools = NDArray[np.bool_]
Box = tuple[float, float, float, float]
MaskEdge = Literal["extend", "fade"]

_PASTE_BLOCK = 4_000_000
"""Pixels interpolated at a time, so that a mask as large as the picture needs no float canvas."""


@dataclass(frozen=True, eq=False)
class WindowMask:
    """The pixels of one instance inside a window of the picture, which lies wholly inside the picture."""

    x: int
    """Left column of the window in the picture."""
    y: int
    """Top row of the window in the picture."""
    pixels: Bools
    """[h, w]"""

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.pixels))

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the window in an array [H, W, ...] of the picture."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


EMPTY = WindowMask(0, 0, np.zeros((0, 0), bool))


def trim(mask: WindowMask) -> WindowMask:
    """Return the same mask in the smallest window that holds it."""
    rows, columns = np.flatnonzero(mask.pixels.any(1)), np.flatnonzero(mask.pixels.any(0))
    if len(rows) == 0:
        return EMPTY
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return WindowMask(mask.x + int(left), mask.y + int(top), mask.pixels[top:bottom, left:right])


@dataclass(frozen=True)
class Axis:
    """How the cells of a coarse grid lie along one axis of a picture.

    The grid is first made `factor` times finer by bilinear interpolation; of the finer cells, those from `first` up
    to `last` then span the `length` pixels that begin at pixel `origin`, read bilinearly again. A picture's edge
    inside of a cell is met exactly in this way, which is also how Ultralytics goes about it.
    """

    cells: int
    first: int
    last: int
    origin: int
    length: int
    factor: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether each cell is a pixel."""
        return (self.first, self.last, self.length, self.factor) == (0, self.cells, self.cells, 1)

    def weights(self, start: int, end: int) -> NDArray[np.float32]:
        """Return [end - start, cells]: how much each cell adds to each pixel from `start` up to `end`."""
        return _axis_weights(self)[start - self.origin : end - self.origin]

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """Return pixels [start, end) outside of which the cells `first` to `last` add nothing."""
        pixels_a_cell = self.length / (self.last - self.first) * self.factor
        offset = self.origin - self.first / self.factor * pixels_a_cell
        start = np.floor(offset + (first - 1) * pixels_a_cell) - 1
        end = np.ceil(offset + (last + 2) * pixels_a_cell) + 1
        low, high = np.clip([start, end], self.origin, self.origin + self.length)
        return int(low), int(high)


@lru_cache(maxsize=8)
def _axis_weights(axis: Axis) -> NDArray[np.float32]:
    """Return [length, cells]; kept, as all masks of a picture share it."""
    fine = _weights(np.arange(axis.length), 0, axis.length, axis.last - axis.first)
    if axis.factor == 1 and (axis.first, axis.last) == (0, axis.cells):
        return fine
    finer = axis.cells * axis.factor
    return fine @ _weights(np.arange(axis.first, axis.last), 0, finer, axis.cells)


@dataclass(frozen=True, eq=False)
class FrameMask:
    """One mask as values on a grid over the whole picture, or over a tile of it."""

    values: NDArray[np.float32]
    """[h, w]: logits or probabilities."""
    rows: Axis
    columns: Axis
    logits: bool
    cut: bool
    """Whether what lies outside the instance's box is dropped."""

    def paste(self, box: Box, threshold: float) -> WindowMask:
        """Return the pixels whose probability is above `threshold`, in (0, 1)."""
        level = float(np.log(threshold / (1 - threshold))) if self.logits else threshold
        if self.cut:
            # A pixel is inside where its index, not its centre, is: the rule of Ultralytics' `crop_mask`.
            left, top, right, bottom = (int(np.ceil(side)) for side in box)
        else:
            above = self.values > level
            down, across = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
            if not len(down):
                return EMPTY
            top, bottom = self.rows.reach(int(down[0]), int(down[-1]))
            left, right = self.columns.reach(int(across[0]), int(across[-1]))
        left, right = (
            int(np.clip(x, self.columns.origin, self.columns.origin + self.columns.length))
            for x in (left, right)
        )
        top, bottom = (
            int(np.clip(y, self.rows.origin, self.rows.origin + self.rows.length)) for y in (top, bottom)
        )
        if left >= right or top >= bottom:
            return EMPTY
        if self.rows.is_plain and self.columns.is_plain:
            x, y = self.columns.origin, self.rows.origin
            return WindowMask(left, top, self.values[top - y : bottom - y, left - x : right - x] > level)
        vertical = self.rows.weights(top, bottom) @ self.values
        pixels = _compare(vertical, self.columns.weights(left, right).T, np.greater, level)
        return WindowMask(left, top, pixels)


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """The masks of several instances on one grid: row i of `coefficients` mixes the grids that all share.

    values float32 [N, h, w], or with `coefficients` float32 [N, K] the shared [K, h, w].
    """

    values: NDArray[np.float32]
    rows: Axis
    columns: Axis
    logits: bool
    cut: bool
    coefficients: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.values if self.coefficients is None else self.coefficients)

    def __iter__(self) -> Iterator[FrameMask]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> FrameMask: ...

    @overload
    def __getitem__(self, index: slice) -> "FrameMasks": ...

    def __getitem__(self, index: int | slice) -> "FrameMask | FrameMasks":
        if isinstance(index, slice):
            if self.coefficients is None:
                return replace(self, values=self.values[index])
            return replace(self, coefficients=self.coefficients[index])
        if self.coefficients is None:
            values = self.values[index]
        else:
            count, height, width = self.values.shape
            values = (self.coefficients[index] @ self.values.reshape(count, -1)).reshape(height, width)
        return FrameMask(values.astype(np.float32), self.rows, self.columns, self.logits, self.cut)


@dataclass(frozen=True, eq=False)
class PixelProbabilities:
    """What a network says of each pixel, whichever object it belongs to: probabilities on a grid over a tile.

    `values` float32 [1 + classes, h, w], the background first. The centre of pixel i of a picture lies at
    (i - origin + 0.5) * cells + first cells of the grid, along each axis; a cell's centre is at its index + 0.5.
    """

    values: NDArray[np.float32]
    window: tuple[int, int, int, int]
    """Of the tile: left, top, right and bottom in pixels of the picture."""
    cells: tuple[float, float]
    """Cells a pixel, across and down."""
    first: tuple[float, float]
    """Where the tile begins in the grid, across and down."""

    def read(self, index: int, left: int, top: int, right: int, bottom: int) -> NDArray[np.float32]:
        """Return the probability of class `index` at each pixel of a window, read bilinearly: [h, w]."""
        before, after, across = self._neighbours(0, left, right)
        above, below, down = self._neighbours(1, top, bottom)
        c0, r0 = int(before[0]), int(above[0])
        part = self.values[index, r0 : int(below[-1]) + 1, c0 : int(after[-1]) + 1]
        rows = part[above - r0]
        rows += (part[below - r0] - rows) * down[:, None]
        pixels = rows[:, before - c0]
        pixels += (rows[:, after - c0] - pixels) * across
        return pixels

    def foreground(self) -> WindowMask:
        """Return the pixels that show any class rather than the background: all classes together above one half."""
        left, top, right, bottom = self.window
        pixels = np.empty((bottom - top, right - left), bool)
        step = max(1, _PASTE_BLOCK // (right - left))
        for start in range(top, bottom, step):
            end = min(start + step, bottom)
            np.less(self.read(0, left, start, right, end), 0.5, out=pixels[start - top : end - top])
        return WindowMask(left, top, pixels)

    def _neighbours(
        self, axis: int, start: int, end: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Return the two cells around the centre of each pixel from `start` up to `end`, and the second's share."""
        last = self.values.shape[2 - axis] - 1
        position = (
            (np.arange(start, end) - self.window[axis] + 0.5) * self.cells[axis] + self.first[axis] - 0.5
        )
        position = np.clip(position, 0, last)
        cell = position.astype(np.intp)
        return cell, np.minimum(cell + 1, last), (position - cell).astype(np.float32)


@dataclass(frozen=True)
class CoverageCounts:
    """Pixels counted over the union of all masks."""

    masked: int
    overlapping: int
    """Pixels under two masks or more."""
    by_class: tuple[int, ...]
    """The union of each class; index 0 is class id 1."""


def paste(
    probabilities: NDArray[np.float32] | FrameMask,
    box: Box,
    height: int,
    width: int,
    threshold: float = 0.5,
    *,
    edge: MaskEdge = "extend",
    pixels: PixelProbabilities | None = None,
    label: int = 1,
) -> WindowMask:
    """Return the box-space mask `probabilities` [M, M] at the resolution of a picture of `height` x `width`.

    `box` is x0, y0, x1, y1 in pixels of the picture, where pixel i spans [i, i + 1]. The mask is read
    bilinearly at the centre of each pixel whose centre lies inside the box, as Detectron2's `paste_masks`
    does; but its outermost values reach out to the box's edge instead of fading to zero, so a mask of ones
    fills its box, corners too. With "fade" for `edge` they do fade, from half a cell inside the box to half a
    cell outside, exactly as in Detectron2. Pixels of at least `threshold` are masked. A box without a pixel
    centre in the picture gives an empty window. A `FrameMask` follows its own rule.

    Where the network says what each pixel shows, `pixels`, the geometric mean of the mask's probability and of that
    of its class, `label`, is what is compared: both must agree that a pixel belongs to the instance.
    """
    if isinstance(probabilities, FrameMask):
        return probabilities.paste(box, threshold)
    if not (np.isfinite(box).all() and np.isfinite(probabilities).all()):
        raise InferenceFailed(f"the network gave a box or a mask that is not finite (box {box})")
    x0, y0, x1, y1 = (float(side) for side in box)
    left, right = _span(x0, x1, width)
    top, bottom = _span(y0, y1, height)
    if left >= right or top >= bottom:
        return EMPTY
    rows, columns = probabilities.shape
    weights = _fading_weights if edge == "fade" else _weights
    vertical = weights(np.arange(top, bottom), y0, y1, rows) @ probabilities
    horizontal = weights(np.arange(left, right), x0, x1, columns).T
    if pixels is None:
        return WindowMask(left, top, _compare(vertical, horizontal, np.greater_equal, threshold))
    masked = np.empty((bottom - top, right - left), bool)
    step = max(1, _PASTE_BLOCK // masked.shape[1])
    for start in range(0, len(masked), step):
        block = vertical[start : start + step] @ horizontal
        block *= pixels.read(label, left, top + start, right, top + start + len(block))
        np.greater_equal(block, threshold * threshold, out=masked[start : start + step])
    return WindowMask(left, top, masked)


def _compare(
    vertical: NDArray[np.float32], horizontal: NDArray[np.float32], comparison: np.ufunc, threshold: float
) -> Bools:
    """Return `comparison` of the product with the threshold, a block of rows at a time."""
    pixels = np.empty((vertical.shape[0], horizontal.shape[1]), bool)
    step = max(1, _PASTE_BLOCK // pixels.shape[1])
    for start in range(0, len(pixels), step):
        comparison(vertical[start : start + step] @ horizontal, threshold, out=pixels[start : start + step])
    return pixels


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the pixels [first, last) of 0..size whose centres lie in [low, high)."""
    first, last = np.clip(np.ceil([low - 0.5, high - 0.5]), 0, size)
    return int(first), int(last)


def _weights(pixels: NDArray[np.int_], low: float, high: float, size: int) -> NDArray[np.float32]:
    """Return [len(pixels), size]: how much each of `size` cells between low and high adds to each pixel."""
    position = np.clip((pixels + 0.5 - low) / (high - low) * size - 0.5, 0, size - 1)
    before = np.minimum(position.astype(np.intp), max(size - 2, 0))
    share = (position - before).astype(np.float32)
    weights = np.zeros((len(pixels), size), np.float32)
    index = np.arange(len(pixels))
    weights[index, np.minimum(before + 1, size - 1)] = share
    weights[index, before] = 1 - share
    return weights


def _fading_weights(pixels: NDArray[np.int_], low: float, high: float, size: int) -> NDArray[np.float32]:
    """Return what `_weights` does, with cells of zeros around the grid."""
    position = (pixels + 0.5 - low) / (high - low) * size - 0.5
    distance = np.abs(position[:, None] - np.arange(size))
    weights: NDArray[np.float32] = np.maximum(0, 1 - distance).astype(np.float32)
    return weights


def rle_encode(mask: WindowMask, height: int, width: int) -> Rle:
    """Return the mask on a picture of `height` x `width` as COCO's compressed RLE, as pycocotools does."""
    starts, ends = _runs(mask, height)
    edges = np.empty(2 * len(starts) + 2, np.int64)
    edges[0], edges[-1] = 0, height * width
    edges[1:-1:2], edges[2:-1:2] = starts, ends
    counts = np.diff(edges)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    packed = cast(
        "dict[str, Any]",
        coco.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width),
    )
    return Rle(size=(height, width), counts=packed["counts"].decode("ascii"))


def _runs(mask: WindowMask, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the starts and ends of the runs of ones, as column-major positions in the whole picture."""
    columns = np.zeros((mask.pixels.shape[1], mask.pixels.shape[0] + 2), np.int8)
    columns[:, 1:-1] = mask.pixels.T
    steps = np.diff(columns, axis=1)
    origin = mask.x * height + mask.y
    column, row = np.nonzero(steps == 1)
    starts = origin + column * height + row
    column, row = np.nonzero(steps == -1)
    ends = origin + column * height + row
    # A run that leaves a column at the picture's bottom and goes on at the next one's top is one run.
    apart = starts[1:] != ends[:-1]
    return (
        starts[np.concatenate([[True], apart])[: len(starts)]].astype(np.int64),
        ends[np.concatenate([apart, [True]])[: len(ends)]].astype(np.int64),
    )


def rle_decode(rle: Rle) -> Bools:
    """Return the mask on its whole picture, [H, W]."""
    height, width = rle.size
    return union_mask([rle_window(rle)], height, width)


def rle_window(rle: Rle) -> WindowMask:
    """Return the smallest window that holds the mask, without making the whole picture."""
    height, width = rle.size
    edges = np.cumsum(_counts(rle.counts))
    if len(edges) == 0 or edges[-1] != height * width or (np.diff(edges) < 0).any() or edges[0] < 0:
        raise InvalidOption(f"the run lengths do not add up to a mask of {width} x {height} pixels")
    starts, ends = edges[:-1:2], edges[1::2]
    filled = starts < ends[: len(starts)] if len(ends) else np.zeros(0, bool)
    starts, ends = starts[: len(ends)][filled], ends[filled]
    if len(starts) == 0:
        return EMPTY
    # Cut each run where it enters another column: afterwards all of them are (column, first row, last row).
    first, last = starts // height, (ends - 1) // height
    pieces = last - first + 1
    run = np.repeat(np.arange(len(starts)), pieces)
    column = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low = np.maximum(starts[run] - column * height, 0)
    high = np.minimum(ends[run] - column * height, height)
    x, y = int(column[0]), int(low.min())
    steps = np.zeros((int(column[-1]) - x + 1, int(high.max()) - y + 1), np.int8)
    np.add.at(steps, (column - x, low - y), 1)
    np.add.at(steps, (column - x, high - y), -1)
    pixels = np.cumsum(steps[:, :-1], axis=1, dtype=np.int8).T.astype(bool, order="C")
    return WindowMask(x, y, pixels)


def _counts(text: str) -> NDArray[np.int64]:
    """Return the run lengths in COCO's compressed string (`rleFrString` in pycocotools' maskApi.c).

    A character holds 5 bits and "more follows", low bits first; numbers are signed, and from the fourth on
    they are differences to the one two before.
    """
    code = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 48
    if len(code) == 0 or (code < 0).any() or (code > 63).any() or code[-1] & 0x20:
        raise InvalidOption("the run lengths of a mask are not in COCO's compressed form")
    final = np.flatnonzero(~code & 0x20)
    begin = np.concatenate([[0], final[:-1] + 1])
    length = final - begin + 1
    if length.max() > 12:
        raise InvalidOption("the run lengths of a mask are not in COCO's compressed form")
    place = np.arange(len(code)) - np.repeat(begin, length)
    values = np.add.reduceat((code & 0x1F) << (5 * place), begin)
    values -= np.where(code[final] & 0x10, np.int64(1) << (5 * length), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def count_coverage(
    masks: Sequence[WindowMask], labels: Sequence[int], height: int, width: int, classes: int
) -> CoverageCounts:
    """Return exact counts over the unions: of all masks, and of those of each class id 1..`classes`.

    Two bits a pixel of the region that holds all windows are all the memory that is needed: "masked" and
    "masked before", as two arrays of bool.
    """
    _check(masks, height, width)
    if any(not 1 <= label <= classes for label in labels):
        raise InvalidOption(f"a label is not a class id from 1 to {classes}: {sorted(set(labels))}")
    masked, overlapping = _count_union(masks)
    by_class = [
        _count_union([mask for mask, label in zip(masks, labels, strict=True) if label == class_id])[0]
        for class_id in range(1, classes + 1)
    ]
    return CoverageCounts(masked, overlapping, tuple(by_class))


def _count_union(masks: Sequence[WindowMask]) -> tuple[int, int]:
    """Return the pixels under one mask or more, and under two or more."""
    windows = [mask for mask in masks if mask.pixels.size]
    if not windows:
        return 0, 0
    x, y = min(mask.x for mask in windows), min(mask.y for mask in windows)
    right = max(mask.x + mask.pixels.shape[1] for mask in windows)
    bottom = max(mask.y + mask.pixels.shape[0] for mask in windows)
    union, again = np.zeros((2, bottom - y, right - x), bool)
    for mask in windows:
        here = WindowMask(mask.x - x, mask.y - y, mask.pixels).window
        again[here] |= union[here] & mask.pixels
        union[here] |= mask.pixels
    return int(np.count_nonzero(union)), int(np.count_nonzero(again))


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
    return _map(masks, labels, np.zeros((height, width), np.uint8))


def instance_map(masks: Sequence[WindowMask], height: int, width: int) -> NDArray[np.uint16]:
    """Return [H, W]: 1, 2, … for the first, second, … mask, 0 where there is none; the lowest wins."""
    if len(masks) > 65535:
        raise InvalidOption(f"an instance map holds up to 65,535 instances, not {len(masks):,}")
    return _map(masks, range(1, len(masks) + 1), np.zeros((height, width), np.uint16))


def _map(masks: Sequence[WindowMask], values: Sequence[int], canvas: NDArray[Any]) -> NDArray[Any]:
    _check(masks, *canvas.shape)
    for mask, value in reversed(list(zip(masks, values, strict=True))):
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
