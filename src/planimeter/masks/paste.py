"""From the masks of a network, in box space, to the pixels of instances."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed
from planimeter.masks.frames import FrameMask, bilinear_weights
from planimeter.masks.pixels import PixelProbabilities
from planimeter.masks.window import EMPTY, Box, WindowMask, row_blocks

MaskEdge = Literal["extend", "fade"]
_ROWS_AT_ONCE = 65_536
"""Rows and columns of instances whose weights are made together: some 10 MB of them."""
_WORTH_OF_A_READING = 15_000
"""Pixels that can be read in the time that each reading takes beyond its pixels."""
_MAP_PIXELS = 16_000_000
"""Where instances cover much of a tile up to this size, the probabilities of all its pixels are read at once."""


_Read = Callable[[int, int, int, int], NDArray[np.float32]]
"""Left, top, right, bottom of a window to the values at its pixels, [h, w]."""


class _Weights(Protocol):
    def __call__(
        self, pixels: NDArray[np.intp], low: NDArray[np.float64], high: NDArray[np.float64], size: int
    ) -> NDArray[np.float32]: ...


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
    pixel_cells: float = 0,
) -> WindowMask:
    """Return the box-space mask `probabilities` [M, M] at the resolution of a picture of `height` x `width`.

    As `paste_all` for one instance, whatever class it is of; a `FrameMask` follows its own rule.
    """
    if isinstance(probabilities, FrameMask):
        return probabilities.paste(box, threshold)
    boxes = np.array([box], np.float64)
    return paste_all(
        probabilities[None],
        boxes,
        (height, width),
        threshold,
        edge=edge,
        pixels=pixels,
        labels=[label],
        pixel_cells=pixel_cells,
    )[0]


def paste_all(
    probabilities: NDArray[np.float32],
    boxes: NDArray[np.float64],
    size: tuple[int, int],
    threshold: float = 0.5,
    *,
    edge: MaskEdge = "extend",
    pixels: PixelProbabilities | None = None,
    labels: Sequence[int] = (),
    pixel_cells: float = 0,
) -> list[WindowMask]:
    """Return the box-space masks `probabilities` [N, M, M] at the resolution of a picture of `size`, height and width.

    `boxes` [N, 4] are x0, y0, x1, y1 in pixels of the picture, where pixel i spans [i, i + 1]. A mask is read
    bilinearly at the centre of each pixel whose centre lies inside its box, as Detectron2's `paste_masks`
    does; but its outermost values reach out to the box's edge instead of fading to zero, so a mask of ones
    fills its box, corners too. With "fade" for `edge` they do fade, from half a cell inside the box to half a
    cell outside, exactly as in Detectron2. Pixels of at least `threshold` are masked. A box without a pixel
    centre in the picture gives an empty window.

    Where the network says what each pixel shows, `pixels`, the geometric mean of the mask's probability and of that
    of its class, `labels`, is what is compared: both must agree that a pixel belongs to the instance. Where that says
    little of small objects, whose boxes span few of its cells, its say is s = n / (n + `pixel_cells`) in a box of n
    cells: in the place of its probability q stands 1 - s (1 - q), and so in the threshold.

    Raises `InferenceFailed` where a box or a mask is not finite.
    """
    _check(probabilities, boxes)
    down, across = _Sides.of(boxes[:, 1::2], size[0]), _Sides.of(boxes[:, ::2], size[1])
    windows = np.stack((across.first, down.first, across.last, down.last), axis=1).tolist()
    weights: _Weights = bilinear_weights if edge == "extend" else _fading
    rows = down.each_weights(weights, probabilities.shape[1])
    columns = across.each_weights(weights, probabilities.shape[2])
    reads: Sequence[_Read | None] = [None] * len(boxes)
    thresholds = [threshold] * len(boxes)
    if pixels is not None:
        says = [pixels.say(window, pixel_cells) for window in windows]
        reads = list(map(_heard, _readers(pixels, windows, labels), says))
        thresholds = [threshold * (threshold if say == 1 else 1 - say * (1 - threshold)) for say in says]
    return [
        _paste(high @ mask, wide.T, window, least, read)
        for mask, window, high, wide, least, read in zip(
            probabilities, windows, rows, columns, thresholds, reads, strict=True
        )
    ]


def _heard(read: _Read, say: float) -> _Read:
    """Return what reads of each pixel what is heard of its probability: all of it, or something nearer to 1."""
    if say == 1:
        return read

    def hear(left: int, top: int, right: int, bottom: int) -> NDArray[np.float32]:
        heard: NDArray[np.float32] = read(left, top, right, bottom) * np.float32(say)
        heard += np.float32(1 - say)
        return heard

    return hear


def _paste(
    vertical: NDArray[np.float32],
    horizontal: NDArray[np.float32],
    window: tuple[int, int, int, int],
    threshold: float,
    read: _Read | None,
) -> WindowMask:
    """Return where the product, times what `read` says of each pixel, is at least `threshold`."""
    left, top, right, bottom = window
    if left >= right or top >= bottom:
        return EMPTY
    masked = np.empty((bottom - top, right - left), bool)
    for rows in row_blocks(*masked.shape):
        block = vertical[rows] @ horizontal
        if read:
            block *= read(left, top + rows.start, right, top + rows.stop)
        np.greater_equal(block, threshold, out=masked[rows])
    return WindowMask(left, top, masked)


def _readers(
    pixels: PixelProbabilities, windows: Sequence[tuple[int, int, int, int]], labels: Sequence[int]
) -> list[_Read]:
    """Return for each instance what reads the probability of its class in a window.

    Where it is less work, those of all pixels of the tile have been read at once.
    """
    left, top, right, bottom = pixels.window
    tile = (right - left) * (bottom - top)
    work = dict.fromkeys(labels, 0)
    for (x0, y0, x1, y1), label in zip(windows, labels, strict=True):
        work[label] += (x1 - x0) * (y1 - y0) + _WORTH_OF_A_READING
    worth = [label for label, area in work.items() if area > tile]
    maps = {label: pixels.read(label, *pixels.window) for label in worth if len(worth) * tile <= _MAP_PIXELS}

    def reader(label: int) -> _Read:
        whole = maps.get(label)

        def read(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.float32]:
            if whole is None or x0 < left or y0 < top or x1 > right or y1 > bottom:
                return pixels.read(label, x0, y0, x1, y1)
            return whole[y0 - top : y1 - top, x0 - left : x1 - left]

        return read

    readers = {label: reader(label) for label in work}
    return [readers[label] for label in labels]


def _check(probabilities: NDArray[np.float32], boxes: NDArray[np.float64]) -> None:
    finite = np.isfinite(boxes).all(1) & np.isfinite(probabilities).all((1, 2))
    if not finite.all():
        box = tuple(boxes[int(np.argmin(finite))].tolist())
        raise InferenceFailed(f"the network gave a box or a mask that is not finite (box {box})")


@dataclass(frozen=True, eq=False)
class _Sides:
    """Where boxes lie along one axis: from `low` to `high`, over the pixels from `first` up to `last`; each [N]."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    first: NDArray[np.intp]
    last: NDArray[np.intp]

    @classmethod
    def of(cls, ends: NDArray[np.float64], size: int) -> "_Sides":
        """Return boxes that go from ends[:, 0] to ends[:, 1], over the pixels of 0..size with centres in between."""
        pixels = np.clip(np.ceil(ends - 0.5), 0, size).astype(np.intp)
        return cls(ends[:, 0], ends[:, 1], pixels[:, 0], np.maximum(pixels[:, 0], pixels[:, 1]))

    def each_weights(self, weights: _Weights, cells: int) -> Iterator[NDArray[np.float32]]:
        """Yield for each box [last - first, cells]: how much each cell adds to each pixel."""
        lengths = self.last - self.first
        start = 0
        while start < len(lengths):
            sums = np.cumsum(lengths[start:])
            end = start + max(1, int(np.searchsorted(sums, _ROWS_AT_ONCE, side="right")))
            ends, counts = sums[: end - start], lengths[start:end]
            of = np.repeat(np.arange(start, end), counts)
            pixels = np.arange(len(of)) - np.repeat(ends - counts, counts) + self.first[of]
            yield from np.split(weights(pixels, self.low[of], self.high[of], cells), ends[:-1])
            start = end


def _fading(
    pixels: NDArray[np.intp], low: NDArray[np.float64], high: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    """Return what `bilinear_weights` does, with cells of zeros around the grid."""
    position = (pixels + 0.5 - low) / (high - low) * size - 0.5
    distance = np.abs(position[:, None] - np.arange(size))
    weights: NDArray[np.float32] = np.maximum(0, 1 - distance).astype(np.float32)
    return weights
