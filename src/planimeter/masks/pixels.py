"""What a network says of each pixel, whichever object it belongs to."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from planimeter.masks.window import row_blocks

LEAST_PIXELS = 36
"""From so many pixels a cell on, it pays to look at the cells first: then most lie between cells that agree."""
_ROUNDING = 1e-5
_Neighbours = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


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
        # `take` is several times faster than an index, and nothing is made that is not needed.
        rows = np.take(part, above - r0, axis=0)
        step = np.take(part, below - r0, axis=0)
        step -= rows
        step *= down[:, None]
        rows += step
        pixels: NDArray[np.float32] = np.take(rows, before - c0, axis=1)
        step = np.take(rows, after - c0, axis=1)
        step -= pixels
        step *= across
        pixels += step
        return pixels

    def say(self, window: tuple[int, int, int, int], half: float) -> float:
        """Return how much say they have in a window, from 0 to 1: one half where it spans `half` of their cells.

        All of it where `half` is 0.
        """
        left, top, right, bottom = window
        cells = self.cells[0] * self.cells[1] * max(0, right - left) * max(0, bottom - top)
        return cells / (cells + half) if half else 1.0

    def mean(self) -> NDArray[np.float64]:
        """Return the mean probability over the tile, [1 + classes]: of any class, then of each."""
        across = self._span(0)
        down = self._span(1)
        means: NDArray[np.float64] = self.values[:, down, across].mean((1, 2), dtype=np.float64)
        means[0] = 1 - means[0]
        return means

    def mark_foreground(self, canvas: NDArray[np.bool_]) -> int:
        """Mark what shows any class rather than the background: all classes together above one half.

        `canvas` [H, W] is that of the whole picture; what is marked there stays. Returns the pixels of the tile.
        """
        left, top, right, bottom = self.window
        pixels = canvas[top:bottom, left:right]
        if self.cells[0] * self.cells[1] * LEAST_PIXELS <= 1:
            self._mark_by_cells(pixels)
        else:
            for rows in row_blocks(*pixels.shape):
                pixels[rows] |= self.read(0, left, top + rows.start, right, top + rows.stop) < 0.5
        return pixels.size

    def _mark_by_cells(self, pixels: NDArray[np.bool_]) -> None:
        """Mark the foreground in the tile's `pixels`, all between four cells that agree at once: the same as by `read`.

        What is read between cells lies between their values, but for rounding.
        """
        left, top, _, _ = self.window
        (before, after, _), (above, below, _) = self._in_tile
        rows, columns = _runs(above), _runs(before)
        upper, lower = self.values[0, above[rows[:-1]]], self.values[0, below[rows[:-1]]]
        least, most = np.minimum(upper, lower), np.maximum(upper, lower)
        first, last = before[columns[:-1]], after[columns[:-1]]
        shown = np.maximum(most[:, first], most[:, last]) < 0.5 - _ROUNDING
        hidden = np.minimum(least[:, first], least[:, last]) > 0.5 + _ROUNDING
        across = np.diff(columns)
        for row, (start, stop) in enumerate(pairwise(rows.tolist())):
            if shown[row].any():
                pixels[start:stop] |= np.repeat(shown[row], across)
            unclear = np.flatnonzero(~(shown[row] | hidden[row]))
            # Neighbours are read together.
            for part in np.split(unclear, np.flatnonzero(np.diff(unclear) > 1) + 1) if len(unclear) else ():
                x0, x1 = int(columns[part[0]]), int(columns[part[-1] + 1])
                read = self.read(0, left + x0, top + start, left + x1, top + stop)
                pixels[start:stop, x0:x1] |= read < 0.5

    def _span(self, axis: int) -> slice:
        """Return the cells that lie in the tile, and not in what was padded."""
        cells = (self.window[axis + 2] - self.window[axis]) * self.cells[axis]
        first = round(self.first[axis])
        return slice(first, max(first + 1, round(first + cells)))

    @cached_property
    def _in_tile(self) -> tuple[_Neighbours, _Neighbours]:
        """The neighbours of all pixels of the tile, along each axis."""
        left, top, right, bottom = self.window
        return self._find_neighbours(0, left, right), self._find_neighbours(1, top, bottom)

    def _neighbours(self, axis: int, start: int, end: int) -> _Neighbours:
        """Return the two cells around the centre of each pixel from `start` up to `end`, and the second's share."""
        origin = self.window[axis]
        if start < origin or end > self.window[axis + 2]:
            return self._find_neighbours(axis, start, end)
        before, after, share = self._in_tile[axis]
        part = slice(start - origin, end - origin)
        return before[part], after[part], share[part]

    def _find_neighbours(self, axis: int, start: int, end: int) -> _Neighbours:
        last = self.values.shape[2 - axis] - 1
        position = (
            (np.arange(start, end) - self.window[axis] + 0.5) * self.cells[axis] + self.first[axis] - 0.5
        )
        position = np.clip(position, 0, last)
        cell = position.astype(np.intp)
        return cell, np.minimum(cell + 1, last), (position - cell).astype(np.float32)


def _runs(indices: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where each run of one value begins in [N], and N at the end."""
    return np.concatenate(([0], np.flatnonzero(np.diff(indices)) + 1, [len(indices)]))
