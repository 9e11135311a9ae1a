"""COCO's compressed run-length encoding of masks, and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InvalidOption
from planimeter.masks.union import union_mask
from planimeter.masks.window import BLOCK_PIXELS, EMPTY, Bools, WindowMask
from planimeter.measurement import Rle


def rle_encode(mask: WindowMask, height: int, width: int) -> Rle:
    """Return the mask on a picture of `height` x `width` as COCO's compressed RLE, as pycocotools does."""
    return trim_and_encode([mask], height, width)[0][1]


def rle_encode_whole(mask: Bools) -> Rle:
    """Return a mask of a whole picture, [H, W], as `rle_encode` does, quicker."""
    height, width = mask.shape
    pixels = mask.ravel(order="F")
    edges = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts = np.concatenate(([0], [0] if pixels[:1].any() else [], edges, [pixels.size])).astype(np.int64)
    counts = np.diff(starts)
    [text] = _write_counts(counts, np.array([len(counts)]))
    return Rle(size=(height, width), counts=text)


def trim_and_encode(masks: Sequence[WindowMask], height: int, width: int) -> list[tuple[WindowMask, Rle]]:
    """Return of each mask what `trim` and what `rle_encode` return, in a fraction of the time."""
    found: list[tuple[WindowMask, Rle]] = []
    start = 0
    while start < len(masks):
        end, pixels = start + 1, masks[start].pixels.size
        while end < len(masks) and pixels + masks[end].pixels.size <= BLOCK_PIXELS:
            pixels += masks[end].pixels.size
            end += 1
        some = masks[start:end]
        columns = _columns(some)
        counts = _all_counts(some, columns, height, width)
        rles = [Rle(size=(height, width), counts=text) for text in _write_counts(*counts)]
        found += zip(_trimmed(some, columns), rles, strict=True)
        start = end
    return found


def _trimmed(masks: Sequence[WindowMask], columns: "_Columns") -> list[WindowMask]:
    """Return the masks in the smallest windows that hold them."""
    trimmed = [EMPTY] * len(masks)
    filled, first = np.unique(columns.of, return_index=True)
    if not len(filled):
        return trimmed
    edges = zip(
        filled.tolist(),
        np.minimum.reduceat(columns.column, first).tolist(),
        np.minimum.reduceat(columns.row, first).tolist(),
        (np.maximum.reduceat(columns.column, first) + 1).tolist(),
        np.maximum.reduceat(columns.row + columns.length, first).tolist(),
        strict=True,
    )
    for index, left, top, right, bottom in edges:
        mask = masks[index]
        trimmed[index] = WindowMask(mask.x + left, mask.y + top, mask.pixels[top:bottom, left:right])
    return trimmed


def _all_counts(
    masks: Sequence[WindowMask], columns: "_Columns", height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the run lengths of all masks one after the other, and how many each has."""
    starts, ends, of = _runs(masks, columns, height)
    runs = np.bincount(of, minlength=len(masks))
    # The edges of a mask: 0, start and end of each run, and the end of the picture.
    sizes = 2 * runs + 2
    last = np.cumsum(sizes) - 1
    edges = np.zeros(int(sizes.sum()), np.int64)
    place = 2 * np.arange(len(starts)) + 2 * of + 1
    edges[place], edges[place + 1], edges[last] = starts, ends, height * width
    kept = np.ones(len(edges), bool)
    kept[last - sizes + 1] = False
    # Ones that reach the picture's end are not followed by a run of no zeros; a mask always has one run.
    ended = (sizes > 2) & (edges[last] == edges[last - 1])
    kept[last[ended]] = False
    counts = np.diff(edges, prepend=0)[kept]
    return counts, sizes - 1 - ended


@dataclass(frozen=True, eq=False)
class _Columns:
    """The runs of ones in the columns of windows, window by window and column by column; each [N]."""

    of: NDArray[np.intp]
    """Which mask it is of; rises."""
    column: NDArray[np.int64]
    """In the window."""
    row: NDArray[np.int64]
    """The first, in the window."""
    length: NDArray[np.int64]


def _columns(masks: Sequence[WindowMask]) -> _Columns:
    shapes = np.array([mask.pixels.shape for mask in masks], np.int64)
    tall = shapes[:, 0] + 1  # a zero after each column keeps runs apart
    offsets = np.concatenate(([0], np.cumsum(tall * shapes[:, 1])))
    pixels = np.zeros(int(offsets[-1]) + 1, np.int8)
    for mask, (rows, across), offset in zip(masks, shapes.tolist(), (offsets[:-1] + 1).tolist(), strict=True):
        part = pixels[offset : offset + (rows + 1) * across].reshape(across, rows + 1)
        part[:, :rows] = mask.pixels.T
    edges = np.flatnonzero(pixels[1:] != pixels[:-1])
    first, after = edges[::2], edges[1::2]
    of = np.searchsorted(offsets, first, side="right") - 1
    column, row = np.divmod(first - offsets[of], tall[of])
    return _Columns(of, column, row, after - first)


def _runs(
    masks: Sequence[WindowMask], columns: _Columns, height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.intp]]:
    """Return the runs of ones: first position, position after the last, and of which mask.

    Positions count down the columns of the whole picture.
    """
    of = columns.of
    corners = np.array([(mask.x, mask.y) for mask in masks], np.int64)
    starts = (corners[of, 0] + columns.column) * height + corners[of, 1] + columns.row
    ends = starts + columns.length
    # A run that leaves a column at the picture's bottom and goes on at the next one's top is one run.
    apart = (starts[1:] != ends[:-1]) | (of[1:] != of[:-1])
    begins, stops = np.append(True, apart)[: len(of)], np.append(apart, True)[: len(of)]
    return starts[begins], ends[stops], of[begins]


def _write_counts(counts: NDArray[np.int64], numbers: NDArray[np.intp]) -> list[str]:
    """Return the run lengths of each mask as COCO's compressed string; what `_counts` reads back."""
    ends = np.cumsum(numbers)
    place = np.arange(len(counts)) - np.repeat(ends - numbers, numbers)
    later = np.flatnonzero(place > 2)
    values = counts.copy()
    values[later] -= counts[later - 2]
    # What is left of each number after 0, 1, 2, … characters of 5 bits, until nothing of any is.
    digits = _digits(values)
    left = values[:, None] >> 5 * np.arange(digits + 1)
    code = left[:, :-1] & 0x1F
    follows = left[:, 1:] != -(code >> 4)
    written = np.concatenate((np.ones((len(values), 1), bool), follows[:, :-1]), axis=1)
    text = ((code | follows * 0x20) + 48)[written].astype(np.uint8).tobytes().decode("ascii")
    stops = np.cumsum(np.count_nonzero(written, axis=1))[ends - 1].tolist()
    return [text[begin:stop] for begin, stop in zip([0, *stops[:-1]], stops, strict=True)]


def _digits(values: NDArray[np.int64]) -> int:
    """Return how many characters the longest of these signed numbers takes; there is at least one number."""
    most = max(int(values.max()), ~int(values.min()))
    return most.bit_length() // 5 + 1


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


def window_pixels(rle: Rle) -> int:
    """Return how many pixels the window of `rle_window` has, without making it; the mask is one that it takes."""
    height = rle.size[0]
    edges = np.cumsum(_counts(rle.counts))
    starts, ends = edges[:-1:2], edges[1::2]
    filled = starts[: len(ends)] < ends
    starts, ends = starts[: len(ends)][filled], ends[filled]
    if not len(starts):
        return 0
    first, last = starts // height, (ends - 1) // height
    columns = int(last[-1] - first[0]) + 1
    if (first != last).any():  # a run that enters another column reaches from the bottom to the top
        return columns * height
    return columns * int((ends - last * height).max() - (starts - first * height).min())


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
