"""COCO's compressed run-length encoding of masks, and back."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from planimeter.errors import InvalidOption
from planimeter.masks.union import union_mask
from planimeter.masks.window import EMPTY, Bools, WindowMask
from planimeter.measurement import Rle


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
